"""Refusing before the body is read: what a service that is ten times too busy does most of the time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from service.api.catalogue import Catalogue
from service.api.exchange import PRIORITY_HEADER, TIMEOUT_HEADER, patience_of, priority_named
from service.api.problems import send_problem
from service.bundle import Task
from service.errors import OverloadedError, ServiceError
from service.scheduling.lag import LoopLag
from service.scheduling.virtual_time import Priority

# Characters that each byte of a body stands for at least, as a rule: there is JSON around them, and some take several.
CERTAIN = 0.5
LOOK_SECONDS = 1.0
TASKS: Mapping[str, Task] = {"/tag": "tag", "/classify": "classify", "/translate": "translate"}


class ReliefMiddleware:
    """What no model of the route could answer in time, even if its body held half as much as it seems to, is refused;
    and so is what would be one more than may be inside. Everything else, good or bad, goes on to be read.

    In calm weather it costs nothing: it looks for a second after a request was refused further in.
    """

    def __init__(
        self, app: ASGIApp, *, catalogue: Catalogue, lag: LoopLag, default_timeout_ms: int, max_inside: int
    ) -> None:
        self._app = app
        self._catalogue = catalogue
        self._lag = lag
        self._default_timeout_ms = default_timeout_ms
        self._max_inside = max_inside
        self._inside = 0
        self._looks_until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = cast("HTTPScope", scope)
        task = TASKS.get(request["path"]) if request.get("method") == "POST" else None  # a lifespan has no path
        if task is None:
            await self._app(scope, receive, send)
            return
        self._lag.watch()
        refusal = self._refusal(task, request)
        if refusal is not None:
            cast("dict[str, Any]", scope)["path_template"] = scope["path"]
            await send_problem(request, send, refusal)
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
            if request["state"]["exchange"].kind == OverloadedError.kind:
                self._looks_until = time.monotonic() + LOOK_SECONDS

    def _refusal(self, task: Task, scope: HTTPScope) -> OverloadedError | None:
        if self._inside >= self._max_inside:
            return OverloadedError(f"{self._inside} requests are being answered", retry_after_seconds=1)
        if time.monotonic() > self._looks_until:
            return None
        headers = dict(scope["headers"])
        if b"origin" in headers:
            return None  # a browser may not see an answer without headers that are added further in
        try:
            priority = priority_named(_text(headers, PRIORITY_HEADER))
            patience = patience_of(_text(headers, TIMEOUT_HEADER), default_timeout_ms=self._default_timeout_ms)
        except ServiceError:
            return None  # whoever reads the request says so
        deadline = scope["state"]["exchange"].started_at + patience
        refusal = self._worst(task, deadline, int(CERTAIN * _length(headers)), priority)
        if refusal is not None:
            self._looks_until = time.monotonic() + LOOK_SECONDS
        return refusal

    def _worst(self, task: Task, deadline: float, length: int, priority: Priority) -> OverloadedError | None:
        """What the last of the models says, if all of them refuse."""
        refusal: OverloadedError | None = None
        for served in self._catalogue.of_task(task):
            try:
                served.scheduler.check(deadline=deadline, tokens=served.density.cost_of(length), priority=priority)
            except OverloadedError as error:
                refusal = error
            except ServiceError:
                return None
            else:
                return None
        return refusal


def _text(headers: Mapping[bytes, bytes], name: str) -> str | None:
    value = headers.get(name.lower().encode())
    return None if value is None else value.decode("latin-1")


def _length(headers: Mapping[bytes, bytes]) -> int:
    """Bytes of the body, 0 if nobody says."""
    value = headers.get(b"content-length", b"")
    return int(value) if value.isdigit() and len(value) < 16 else 0

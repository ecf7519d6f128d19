"""Refusing before the body is read: what a service that is ten times too busy does most of the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from litestar.connection import ASGIConnection
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from service.api.catalogue import Catalogue
from service.api.exchange import deadline_of, priority_of
from service.api.problems import send_problem
from service.bundle import Task
from service.errors import OverloadedError, ServiceError
from service.scheduling.lag import LoopLag

# Characters that each byte of a body stands for at least, as a rule: there is JSON around them, and some take several.
CERTAIN = 0.5
TASKS: Mapping[str, Task] = {"/tag": "tag", "/classify": "classify", "/translate": "translate"}


class ReliefMiddleware:
    """What no model of the route could answer in time, even if its body held half as much as it seems to, is refused;
    and so is what would be one more than may be inside. Everything else, good or bad, goes on to be read."""

    def __init__(
        self, app: ASGIApp, *, catalogue: Catalogue, lag: LoopLag, default_timeout_ms: int, max_inside: int
    ) -> None:
        self._app = app
        self._catalogue = catalogue
        self._lag = lag
        self._default_timeout_ms = default_timeout_ms
        self._max_inside = max_inside
        self._inside = 0

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

    def _refusal(self, task: Task, scope: HTTPScope) -> OverloadedError | None:
        if self._inside >= self._max_inside:
            return OverloadedError(f"{self._inside} requests are being answered", retry_after_seconds=1)
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
        if "origin" in connection.headers:
            return None  # a browser may not see an answer without headers that are added further in
        try:
            priority = priority_of(connection)
            deadline = deadline_of(connection, default_timeout_ms=self._default_timeout_ms)
        except ServiceError:
            return None  # whoever reads the request says so
        length = int(CERTAIN * _length(connection))
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


def _length(connection: ASGIConnection[Any, Any, Any, Any]) -> int:
    """Bytes of the body, 0 if nobody says."""
    value = connection.headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else 0

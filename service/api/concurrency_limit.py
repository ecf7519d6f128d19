"""Middleware that limits how many task requests are answered at one time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from litestar.utils import normalize_path

from service.api.problems import send_problem
from service.errors import OverloadedError
from service.scheduling.latency import EventLoopLag


class ConcurrencyLimit:
    """Counts the requests in flight to the tasks' ``paths`` and refuses those beyond the limit, before their bodies are
    read."""

    def __init__(self, app: ASGIApp, *, paths: Collection[str], lag: EventLoopLag, max_in_flight: int) -> None:
        self._app = app
        self._paths = paths
        self._lag = lag
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = cast("HTTPScope", scope)
        if request["method"] != "POST" or not self._is_task(request["path"]):
            await self._app(scope, receive, send)
            return
        self._lag.watch()
        if self._in_flight >= self._max_in_flight:
            cast("dict[str, Any]", scope)["path_template"] = normalize_path(scope["path"])
            refusal = OverloadedError(f"{self._in_flight} requests are being answered", retry_after_seconds=1)
            await send_problem(request, send, refusal)
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1

    def _is_task(self, path: str) -> bool:
        """Whether a path is a task's, however it is written: ``//tag/`` is answered like ``/tag``."""
        return path in self._paths or normalize_path(path) in self._paths

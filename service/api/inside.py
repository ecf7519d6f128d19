"""How many may be inside at once, and whether those who were are refused for want of time."""

from __future__ import annotations

from typing import Any, cast

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from litestar.utils import normalize_path

from service.api.problems import send_problem
from service.api.relief import TASKS, Relief
from service.errors import OverloadedError
from service.scheduling.lag import LoopLag


class InsideMiddleware:
    """Counts who is inside, refuses what would be one more than may be, and takes note of refusals further in."""

    def __init__(self, app: ASGIApp, *, relief: Relief, lag: LoopLag, max_inside: int) -> None:
        self._app = app
        self._relief = relief
        self._lag = lag
        self._max_inside = max_inside
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = cast("HTTPScope", scope)
        if request["method"] != "POST" or not _is_task(request["path"]):
            await self._app(scope, receive, send)
            return
        self._lag.watch()
        if self._inside >= self._max_inside:
            cast("dict[str, Any]", scope)["path_template"] = normalize_path(scope["path"])
            refusal = OverloadedError(f"{self._inside} requests are being answered", retry_after_seconds=1)
            await send_problem(request, send, refusal)
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
            if request["state"]["exchange"].kind == OverloadedError.kind:
                self._relief.notice()


def _is_task(path: str) -> bool:
    """However it is written: ``//tag/`` is answered like ``/tag``."""
    return path in TASKS or normalize_path(path) in TASKS

"""End of the grace period: requests that are not answered by then get a problem document, and not a bug's 500."""

from __future__ import annotations

import asyncio
from typing import cast

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from service.api.context import RequestContext
from service.api.problems import send_problem
from service.errors import NotReadyError
from service.lifecycle import Lifecycle

TOO_LATE = "the service is stopping and could not finish this in time"


class ShutdownMiddleware:
    """Answers requests that the stopping server cancels with 503. It runs inside the context middleware, which records
    every answer."""

    def __init__(self, app: ASGIApp, *, lifecycle: Lifecycle) -> None:
        self._app = app
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._lifecycle.is_ending:
                raise
            context: RequestContext = scope["state"]["context"]
            if not context.status:  # of an answer that has begun no other can be made
                error = NotReadyError(TOO_LATE, retry_after_seconds=1)
                await send_problem(cast("HTTPScope", scope), send, error)

"""The end of the grace period: whoever is not answered by then is told so, and not with a bug's 500."""

from __future__ import annotations

import asyncio
from typing import cast

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from service.api.exchange import Exchange
from service.api.problems import send_problem
from service.errors import NotReadyError
from service.scheduling.admission import Door

TOO_LATE = "the service is stopping and could not finish this in time"


class GivingUpMiddleware:
    """Inside the exchange, which writes down every answer. A server that gives up cancels its requests."""

    def __init__(self, app: ASGIApp, *, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._door.is_ending:
                raise
            exchange: Exchange = scope["state"]["exchange"]
            if not exchange.status:  # of an answer that has begun no other can be made
                error = NotReadyError(TOO_LATE, retry_after_seconds=1)
                await send_problem(cast("HTTPScope", scope), send, error)

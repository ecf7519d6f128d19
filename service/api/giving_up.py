"""The end of the grace period: whoever is not answered by then is told so, and not with a bug's 500."""

from __future__ import annotations

import asyncio

from litestar.types import ASGIApp, Receive, Scope, Send

from service.api.exchange import Exchange
from service.api.problems import PROBLEM_JSON, document_bytes, headers_of
from service.errors import NotReadyError
from service.scheduling.admission import Door


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
                await _tell(exchange, send)


async def _tell(exchange: Exchange, send: Send) -> None:
    error = NotReadyError("the service is stopping and could not finish this in time", retry_after_seconds=1)
    exchange.kind = error.kind
    body = document_bytes(error, exchange.request_id)
    headers = {"content-type": PROBLEM_JSON, "content-length": str(len(body)), **headers_of(error)}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": False})

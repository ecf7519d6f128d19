"""Around every request, whatever becomes of it: an exchange begins, and the books are closed on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.api.ledger import Ledger
from service.api.protection import protections
from service.scheduling.admission import Door

NO_CONTENT = 204  # of OPTIONS
UNKNOWN_ROUTE = "unknown"  # every path that is no route shares this label
FAREWELL = ((b"connection", b"close"),)  # the next request should go to another process


class ExchangeMiddleware:
    """Outermost of all, so that unknown paths and wrong methods are counted like everything else."""

    def __init__(self, app: ASGIApp, *, ledger: Ledger, door: Door) -> None:
        self._app = app
        self._ledger = ledger
        self._door = door
        self._in_flight = ledger.metrics.in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if cast("str", scope["type"]) != "http":  # nothing else is served, and Litestar says so
            await self._app(scope, receive, send)
            return
        exchange = self._ledger.begin(scope, self._ledger.caller_of(scope))
        scope.setdefault("state", {})["exchange"] = exchange
        method = cast("dict[str, str]", scope)["method"]
        if method == "HEAD":
            scope, send = cast("Scope", {**scope, "method": "GET"}), without_body(send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = message["headers"] if exchange.status != NO_CONTENT else _with_head(message["headers"])
                farewell = FAREWELL if self._door.is_ending else ()
                message["headers"] = [*headers, *protections(method, headers), *exchange.headers(), *farewell]
            elif method != "HEAD":
                exchange.answer_bytes += len(cast("dict[str, Any]", message).get("body", b""))
            await send(message)

        async def receive_counted() -> Any:
            message = await receive()
            exchange.request_bytes += len(cast("dict[str, Any]", message).get("body", b""))
            return message

        self._door.inside += 1
        self._in_flight.inc()
        try:
            await self._app(scope, receive_counted, send_with_headers)
        finally:
            self._door.inside -= 1
            self._in_flight.dec()
            self._ledger.write_down(exchange, cast("dict[str, Any]", scope).get("path_template") or UNKNOWN_ROUTE)


def _with_head(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Litestar's answer to OPTIONS does not know that HEAD is answered wherever GET is."""
    return [(name, value.replace(b"GET", b"GET, HEAD") if name == b"allow" else value) for name, value in headers]


def without_body(send: Send) -> Send:
    """HEAD is answered as GET is, and then nothing follows the headers."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    return send_head

"""Outermost middleware: gives each request its context, adds headers to the answer, and records the outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.api.request_log import RequestLog
from service.api.security_headers import security_headers
from service.lifecycle import Lifecycle

NO_CONTENT = 204  # of OPTIONS
UNKNOWN_ROUTE = "unknown"  # every path that is no route shares this label
FAREWELL = ((b"connection", b"close"),)  # the next request should go to another process


class ContextMiddleware:
    """Wraps every request, unknown paths and wrong methods included, so that all are counted alike."""

    def __init__(self, app: ASGIApp, *, request_log: RequestLog, lifecycle: Lifecycle) -> None:
        self._app = app
        self._request_log = request_log
        self._lifecycle = lifecycle
        self._in_flight = request_log.metrics.in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if cast("str", scope["type"]) != "http":  # nothing else is served, and Litestar says so
            await self._app(scope, receive, send)
            return
        context = self._request_log.begin(scope, self._request_log.caller_of(scope))
        scope.setdefault("state", {})["context"] = context
        method = cast("dict[str, str]", scope)["method"]
        if method == "HEAD":
            scope, send = cast("Scope", {**scope, "method": "GET"}), without_body(send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status = message["status"]
                headers = message["headers"] if context.status != NO_CONTENT else _with_head(message["headers"])
                farewell = FAREWELL if self._lifecycle.is_ending else ()
                message["headers"] = [*headers, *security_headers(method, headers), *context.headers(), *farewell]
            elif method != "HEAD":
                context.answer_bytes += len(cast("dict[str, Any]", message).get("body", b""))
            await send(message)

        async def receive_counted() -> Any:
            message = await receive()
            context.request_bytes += len(cast("dict[str, Any]", message).get("body", b""))
            return message

        self._lifecycle.in_flight += 1
        self._in_flight.inc()
        try:
            await self._app(scope, receive_counted, send_with_headers)
        finally:
            self._lifecycle.in_flight -= 1
            self._in_flight.dec()
            self._request_log.write_down(context, cast("dict[str, Any]", scope).get("path_template") or UNKNOWN_ROUTE)


def _with_head(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Add HEAD to the methods that Litestar's answer to OPTIONS allows: it is answered wherever GET is."""
    return [(name, value.replace(b"GET", b"GET, HEAD") if name == b"allow" else value) for name, value in headers]


def without_body(send: Send) -> Send:
    """Return a ``send`` that drops the body: HEAD is answered as GET is, without what follows the headers."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    return send_head

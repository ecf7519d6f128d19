"""Outermost middleware: gives each request its context, adds headers to the answer, and records the outcome."""

from __future__ import annotations

import re
from typing import Any, cast

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.api.body_budget import BodyBudget
from service.api.request_log import RequestLog
from service.api.security_headers import security_headers
from service.lifecycle import Lifecycle

UNKNOWN_ADDRESS = "unknown"
_ADDRESS = re.compile(r"[0-9a-fA-F.:]{2,45}(%\w{1,16})?")
UNKNOWN_ROUTE = "unknown"  # every path that is no route shares this label
CLOSE_CONNECTION = ((b"connection", b"close"),)  # the next request should go to another process


class ContextMiddleware:
    """Wraps every request, unknown paths and wrong methods included, so that all are counted alike."""

    def __init__(self, app: ASGIApp, *, request_log: RequestLog, lifecycle: Lifecycle, bodies: BodyBudget) -> None:
        self._app = app
        self._bodies = bodies
        self._request_log = request_log
        self._lifecycle = lifecycle
        self._in_flight = request_log.metrics.in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = self._request_log.begin(scope)
        scope.setdefault("state", {})["context"] = context
        method = cast("dict[str, str]", scope)["method"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                context.status, headers = message["status"], message["headers"]
                closing = CLOSE_CONNECTION if self._lifecycle.is_ending else ()
                message["headers"] = [*headers, *security_headers(method, headers), *context.headers(), *closing]
            elif method != "HEAD":
                context.answer_bytes += len(cast("dict[str, Any]", message).get("body", b""))
            await send(message)

        async def receive_counted() -> Any:
            message = await receive()
            if body := cast("dict[str, Any]", message).get("body"):
                before = context.request_bytes
                context.request_bytes += len(body)
                self._bodies.add(before, context.request_bytes)
            return message

        self._lifecycle.in_flight += 1
        self._in_flight.inc()
        try:
            await self._app(scope, receive_counted, send_with_headers)
        finally:
            self._lifecycle.in_flight -= 1
            self._in_flight.dec()
            self._bodies.remove(context.request_bytes)
            self._request_log.record(context, cast("dict[str, Any]", scope).get("path_template") or UNKNOWN_ROUTE)


def with_plain_addresses(app: ASGIApp) -> ASGIApp:
    """Wrap an application behind uvicorn's ProxyHeadersMiddleware, which takes any text of X-Forwarded-For for the
    caller's address: what is no address becomes ``unknown``, so that no text of a caller's is logged."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and not _ADDRESS.fullmatch(client[0]):
            scope["client"] = (UNKNOWN_ADDRESS, 0)
        await app(scope, receive, send)

    return call


def with_root_path(app: ASGIApp, root_path: str) -> ASGIApp:
    """Wrap an application behind a proxy that has it under a prefix: paths with and without the prefix are the same."""
    prefix = root_path + "/"

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        request = cast("dict[str, Any]", scope)
        if f"{request['path']}/".startswith(prefix):
            request["path"] = request["path"][len(root_path) :] or "/"
            request["raw_path"] = request["path"].encode()
        await app(scope, receive, send)

    return call

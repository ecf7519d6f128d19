"""Sending of answers, with the headers that every answer has."""

from __future__ import annotations

from typing import Any, cast

from litestar.types import Message, Send

from service.api.browsers import security_headers
from service.api.context import RequestContext
from service.lifecycle import Lifecycle

CLOSE_CONNECTION = (b"connection", b"close")  # the next request should go to another process


def with_headers(send: Send, context: RequestContext, method: str, lifecycle: Lifecycle) -> Send:
    """Return a function that sends the messages of an application's answer with the headers of every answer, and
    records its status and size."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            context.status, headers = message["status"], message["headers"]
            closing = [CLOSE_CONNECTION] if lifecycle.is_ending else []
            message["headers"] = [*headers, *security_headers(method, headers), *context.answer_headers(), *closing]
        elif method != "HEAD":
            context.answer_bytes += len(cast("dict[str, Any]", message).get("body", b""))
        await send(message)

    return send_with_headers

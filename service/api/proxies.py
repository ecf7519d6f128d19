"""Requests that come through a proxy: the caller's address, and a prefix of the path."""

from __future__ import annotations

import re
from typing import Any, cast

from litestar.types import ASGIApp, Receive, Scope, Send

UNKNOWN_ADDRESS = "unknown"
_ADDRESS = re.compile(r"[0-9a-fA-F.:]{2,45}(%\w{1,16})?")


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
        if request["type"] == "http" and f"{request['path']}/".startswith(prefix):
            request["path"] = request["path"][len(root_path) :] or "/"
            request["raw_path"] = request["path"].encode()
        await app(scope, receive, send)

    return call

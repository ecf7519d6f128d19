"""Compression of answers and of request bodies with gzip.

Litestar's middleware compresses on the event loop, holds back the events of a stream, and takes ``gzip;q=0`` for a wish
for gzip (docs/adr/0015-gzip-by-a-middleware-of-our-own.md).
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Iterable
from typing import Any, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLargeError, MalformedRequestError

MIN_BYTES = 1024  # of an answer that is compressed: less fits into a packet as it is
LARGE = 65_536  # bytes, half a millisecond: an answer of more is compressed beside the event loop
LEVEL = 4  # half the time of zlib's usual 6 for a tenth more bytes (docs/results.md)
_GZIP_WINDOW = zlib.MAX_WBITS | 16  # which says that the format is gzip
_COMPRESSIBLE = re.compile(rb"(text/(?!event-stream)|application/([\w.+-]+\+)?(json|yaml|javascript)|image/svg\+xml).*")
_QUALITY = re.compile(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)")

VARY, GZIP = (b"vary", b"Accept-Encoding"), (b"content-encoding", b"gzip")

Headers = Iterable[tuple[bytes, bytes]]


class CompressionMiddleware:
    """Compresses whole answers for callers who take gzip; streams pass as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        is_wanted = cast("Any", scope)["method"] != "HEAD" and takes_gzip(scope["headers"])
        start: Any = None

        async def send_compressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start is None:
                await send(message)
                return
            begun, start = start, None
            answer = cast("dict[str, Any]", message)
            is_whole, body = not answer.get("more_body"), answer.get("body", b"")
            if is_whole and is_compressible(begun["headers"]):
                num_bytes = None
                if is_wanted and len(body) >= MIN_BYTES:
                    answer["body"] = body = await compress_aside(body)
                    num_bytes = len(body)
                begun["headers"] = headers_of(begun["headers"], num_bytes=num_bytes)
            await send(begun)
            await send(message)

        await self._app(scope, receive, send_compressed)


def compress(body: bytes) -> bytes:
    """Return the bytes as a gzip file without a name or a time."""
    return zlib.compress(body, LEVEL, _GZIP_WINDOW)


async def compress_aside(body: bytes) -> bytes:
    """Return the bytes as a gzip file; that of many is made beside the event loop."""
    return compress(body) if len(body) <= LARGE else await asyncio.to_thread(compress, body)


def content_size(body: bytes, max_bytes: int) -> int:
    """Return the most bytes that ``decompress`` makes of a gzip file: as many as its last four bytes say (RFC 1952,
    section 2.3.1), and no more than ``max_bytes``."""
    return min(int.from_bytes(body[-4:], "little"), max_bytes)


def decompress(body: bytes, max_bytes: int) -> bytes:
    """Return the content of a gzip file. Raises BodyTooLargeError before more than ``max_bytes`` are made of it, and
    MalformedRequestError if it is not one whole gzip file of the size that it says."""
    gzip = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content = gzip.decompress(body, content_size(body, max_bytes) + 1)
    except zlib.error as error:
        raise MalformedRequestError("the body is declared as gzip and is not") from error
    if len(content) > max_bytes:
        raise BodyTooLargeError(f"the body is more than {max_bytes} bytes once it is decompressed")
    if not gzip.eof or gzip.unused_data:
        raise MalformedRequestError("the body is not one whole gzip file")
    return content


def is_compressible(headers: Headers) -> bool:
    """Return whether an answer with these headers is worth compressing and is not compressed yet."""
    given = dict(headers)
    return b"content-encoding" not in given and bool(_COMPRESSIBLE.fullmatch(given.get(b"content-type", b"")))


def headers_of(headers: Headers, *, num_bytes: int | None) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer that would be compressed for other callers, or is, to ``num_bytes``. An entity
    tag becomes a weak one: the bytes are others (RFC 9110, section 8.8.3)."""
    varying = [*headers, VARY]
    if num_bytes is None:
        return varying
    kept = [
        (name, b"W/" + value.removeprefix(b"W/") if name == b"etag" else value)
        for name, value in varying
        if name != b"content-length"
    ]
    return [*kept, GZIP, (b"content-length", b"%d" % num_bytes)]


def takes_gzip(headers: Headers) -> bool:
    """Return whether Accept-Encoding has gzip, and likes it no less than no compression (RFC 9110, section 12.5.3)."""
    named = b",".join(value for name, value in headers if name == b"accept-encoding").decode("latin-1").lower()
    if "gzip" not in named and "*" not in named:
        return False
    qualities = dict(_quality(each) for each in named.split(","))
    gzip = qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0)))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _quality(coding: str) -> tuple[str, float]:
    name, _, weight = (part.strip() for part in coding.partition(";"))
    if not weight:
        return name, 1.0
    found = _QUALITY.fullmatch(weight)
    return name, float(found[1]) if found else 0.0

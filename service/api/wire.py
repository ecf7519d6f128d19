"""Whole answers as the bytes of HTTP/1.1, for refusals that do not pass through the application."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from http import HTTPStatus

from service.api.problems import PROBLEM_JSON, document_bytes, headers_of
from service.api.security_headers import security_headers
from service.errors import ServiceError

Headers = Iterable[tuple[bytes, bytes]]


def problem_bytes(error: ServiceError, request_id: str, more: Headers) -> bytes:
    """Return a problem document as a whole answer, with these headers besides its own; they name the request."""
    body = document_bytes(error, request_id)
    own = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers_of(error).items())
    return b"".join(
        [
            _beginning(error.status),
            b"content-length: %d\r\n" % len(body),
            own.encode(),
            *[b"%b: %b\r\n" % header for header in more],
            b"\r\n",
            body,
        ]
    )


@cache
def _beginning(status: int) -> bytes:
    """Return the status line and headers that all problems of one status share."""
    fixed = [(b"content-type", PROBLEM_JSON.encode()), *security_headers("POST", ())]
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    return line + b"".join(b"%b: %b\r\n" % header for header in fixed)

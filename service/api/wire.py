"""Whole answers as the bytes of HTTP/1.1: for refusals that no application is asked about."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from http import HTTPStatus

from service.api.problems import PROBLEM_JSON, document_bytes, headers_of
from service.api.protection import protections
from service.errors import ServiceError

Headers = Iterable[tuple[bytes, bytes]]


def problem_bytes(error: ServiceError, request_id: str, more: Headers) -> bytes:
    """The problem's document, with these headers besides its own; they name the request."""
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
    """What all problems of one status have."""
    fixed = [(b"content-type", PROBLEM_JSON.encode()), *protections("POST", ())]
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    return line + b"".join(b"%b: %b\r\n" % header for header in fixed)

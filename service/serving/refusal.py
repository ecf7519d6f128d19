"""Refusal of a request that has no context yet: a problem document as the whole last message of a connection."""

from __future__ import annotations

from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.api.context import new_request_id
from service.api.problems import PROBLEM_JSON, document_bytes, headers_of
from service.api.security_headers import security_headers
from service.errors import HeadTooLargeError, ServiceError
from service.serving.limits import MAX_HEAD_BYTES


def head_too_large() -> HeadTooLargeError:
    return HeadTooLargeError(f"the path and headers have more than {MAX_HEAD_BYTES} bytes")


def problem_message(error: ServiceError, server_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return an error as a whole response, the last of its connection."""
    request_id = new_request_id()
    body = document_bytes(error, request_id)
    headers = dict([*server_headers, *security_headers("POST", ())])
    headers |= {name.lower().encode(): value.encode() for name, value in headers_of(error).items()}
    headers |= {b"content-type": PROBLEM_JSON.encode(), b"content-length": b"%d" % len(body)}
    headers |= {b"x-request-id": request_id.encode(), b"connection": b"close"}
    return b"".join([STATUS_LINE[error.status], *(b"%b: %b\r\n" % each for each in headers.items()), b"\r\n", body])

"""Problem documents: every failure is answered by one kind of document (RFC 9457, ``application/problem+json``)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any, NamedTuple

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap, HTTPScope, Send

from service.api.browsers import ANSWER_HEADERS
from service.api.context import RequestContext, context_of
from service.errors import (
    BodyTooLargeError,
    MethodNotAllowedError,
    RequestError,
    ServiceError,
    UnknownPathError,
    UnsupportedMediaTypeError,
)
from service.logs import error_fields

PROBLEM_JSON = "application/problem+json"
LIBRETRANSLATE = "/compat/libretranslate/"  # below this path failures are written as LibreTranslate writes them
# The status with which LibreTranslate answers where ours is another one.
LIBRETRANSLATE_STATUS = {401: 403, 415: 400, 422: 400}
MAX_MESSAGE_LENGTH = 1000
_log = logging.getLogger(__name__)


class FieldProblem(msgspec.Struct, frozen=True):
    """An error in one field of the request."""

    path: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document (RFC 9457) with a stable ``kind`` and the request's id."""

    type: str
    title: str
    status: int
    detail: str
    kind: str
    request_id: str
    errors: list[FieldProblem] | msgspec.UnsetType = msgspec.UNSET


class LibreTranslateError(msgspec.Struct, frozen=True):
    """A failure as LibreTranslate writes it."""

    error: str


class Failure(NamedTuple):
    """Answer to a request that failed."""

    status: int
    media_type: str
    body: bytes
    headers: Sequence[tuple[bytes, bytes]]


MEANINGS = {
    400: "The body is not JSON",
    401: "A key is asked for here, and there is none or a wrong one",
    404: "No such model",
    409: "The models in the folder are not sound; those before are still served",
    408: "The body did not arrive in time; the connection is closed",
    413: "The body is too large",
    415: "The body is not declared as JSON",
    421: "The request is addressed to a host that is not allowed here",
    422: "A field or a text is wrong; errors names it",
    431: "The path and the headers are too large; the connection is closed",
    429: "Overloaded, or too much from this caller; Retry-After says when to come back",
    500: "A bug; the log has more under the request's id",
    503: "Starting or draining, or no memory for the body; Retry-After says when to come back",
    504: "The deadline passed, or would have, before the work was done",
}


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """Describe the ways in which a route may fail, for the API's description."""
    return {
        status: ResponseSpec(Problem, description=MEANINGS[status], media_type=PROBLEM_JSON, generate_examples=False)
        for status in statuses
    }


PROBLEMS = problems(400, 401, 404, 408, 413, 415, 421, 422, 429, 431, 500, 503, 504)  # of every task


def on_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer any failure of a handler, and what Litestar itself refuses: unknown paths, wrong methods, large bodies."""
    failure = write_failure(error, context_of(request), request.scope["path"])
    allowed = {"allow": _allowed(error)} if isinstance(error, MethodNotAllowedException) else {}
    headers = {name.decode(): value.decode() for name, value in failure.headers} | allowed
    return Response(failure.body, status_code=failure.status, media_type=failure.media_type, headers=headers)


HANDLERS: ExceptionHandlersMap = {Exception: on_exception}


async def send_problem(scope: HTTPScope, send: Send, error: ServiceError) -> None:
    """Send a problem where no handler of Litestar's can: before anything is read, or after the application has
    ended."""
    failure = write_failure(error, scope["state"]["context"], scope["path"])
    own = [(b"content-type", failure.media_type.encode()), (b"content-length", b"%d" % len(failure.body))]
    await send({"type": "http.response.start", "status": failure.status, "headers": [*own, *failure.headers]})
    await send({"type": "http.response.body", "body": failure.body, "more_body": False})


LIBRETRANSLATE_MEANINGS = MEANINGS | {
    400: "A field or a text is wrong, or the body is neither JSON nor a form",
    403: "A key is asked for here, and there is none or a wrong one",
    404: "No model translates",
}


def libretranslate_problems(*, statuses: Collection[int] = PROBLEMS) -> dict[int, ResponseSpec]:
    """Describe the ways in which a route of LibreTranslate's may fail: those of a task, except for 431, which is sent
    before the path is known."""
    found = sorted({LIBRETRANSLATE_STATUS.get(status, status) for status in statuses} - {431})
    return {
        status: ResponseSpec(LibreTranslateError, description=LIBRETRANSLATE_MEANINGS[status], generate_examples=False)
        for status in found
    }


def document_bytes(error: ServiceError, request_id: str) -> bytes:
    """Return the problem document of an error as JSON."""
    errors = [FieldProblem(_sendable(each.path), _sendable(each.message)) for each in error.errors]
    problem = Problem(
        type=f"urn:ribbon:problem:{error.kind}",
        title=error.title,
        status=error.status,
        detail=_sendable(error.detail),
        kind=error.kind,
        request_id=request_id,
        errors=errors or msgspec.UNSET,
    )
    return msgspec.json.encode(problem)


def problem_message(error: ServiceError, body: bytes, more_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return an error and its document as a whole response of HTTP/1.1."""
    headers = dict([*more_headers, *ANSWER_HEADERS])
    headers |= {name.lower().encode(): value.encode() for name, value in headers_of(error).items()}
    headers |= {b"content-type": PROBLEM_JSON.encode(), b"content-length": b"%d" % len(body)}
    lines = [b"%b: %b\r\n" % each for each in headers.items()]
    status = HTTPStatus(error.status)
    return b"".join([b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()), *lines, b"\r\n", body])


def headers_of(error: ServiceError) -> dict[str, str]:
    """Return the headers that come with the document."""
    headers = dict(error.headers)
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, ceil(error.retry_after_seconds)))
    return headers


def write_failure(error: Exception, context: RequestContext, path: str = "") -> Failure:
    """Return what an exception is answered with, and record its kind in the context. The traceback is dropped: its
    frames hold the error and all of the request."""
    failure = _translate(error, context)
    error.with_traceback(None)
    context.kind = failure.kind
    headers = [(name.lower().encode(), value.encode()) for name, value in headers_of(failure).items()]
    if path.startswith(LIBRETRANSLATE):
        status = LIBRETRANSLATE_STATUS.get(failure.status, failure.status)
        body = msgspec.json.encode(LibreTranslateError(_sendable(failure.detail)))
        return Failure(status, MediaType.JSON, body, headers)
    return Failure(failure.status, PROBLEM_JSON, document_bytes(failure, context.request_id), headers)


def _translate(error: Exception, context: RequestContext) -> ServiceError:
    """Return a service error as it is, one for what Litestar refuses, and for a bug one that tells no more than that:
    the log has the rest under the request's id."""
    if isinstance(error, ServiceError):
        return error
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(getattr(error, "detail", ""))
    match status:
        case 404:
            return UnknownPathError("nothing lives at this path; GET /schema lists what there is")
        case 405:
            return MethodNotAllowedError(f"this path takes {_allowed(error)}")
        case 413:
            return BodyTooLargeError("the body has more bytes than the service reads")
        case 415:
            return UnsupportedMediaTypeError(detail)
        case _ if status < 500:
            return RequestError(detail)
    _log.error("unexpected error", extra={"request_id": context.request_id, **error_fields(error)})
    return ServiceError("something unexpected happened; the log has more under this id")


def _allowed(error: Any) -> str:
    """Return the methods that a path takes, as Litestar's error lists them."""
    return ", ".join(sorted((error.headers or {}).get("allow", "").split(", ")))


def _sendable(text: str) -> str:
    """Shorten a message and escape lone surrogates, which UTF-8 cannot hold: a message may quote what the caller
    sent."""
    if len(text) > MAX_MESSAGE_LENGTH:
        half = MAX_MESSAGE_LENGTH // 2
        text = f"{text[:half]} … {text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode()

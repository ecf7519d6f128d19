"""Problem documents: every failure is answered by one kind of document (RFC 9457, ``application/problem+json``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import ceil
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap, HTTPScope, Send

from service.api.context import context_of
from service.errors import (
    BodyTooLargeError,
    FieldError,
    InvalidRequestError,
    MethodNotAllowedError,
    RequestError,
    ServiceError,
    UnknownPathError,
    UnsupportedMediaTypeError,
)
from service.logs import error_fields

PROBLEM_JSON = "application/problem+json"
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


MEANINGS = {
    400: "The body is not JSON",
    401: "A key is asked for here, and there is none or a wrong one",
    404: "No such model",
    409: "The models in the folder are not sound; those before are still served",
    408: "The body did not arrive in time; the connection is closed",
    413: "The body is too large",
    415: "The body is not declared as JSON",
    422: "A field or a text is wrong; errors names it",
    431: "The path and the headers are too large; the connection is closed",
    429: "Overloaded, or too much from this caller; Retry-After says when to come back",
    500: "A bug; the log has more under the request's id",
    503: "Starting or draining; Retry-After says when to come back",
    504: "The deadline passed before the work began",
}


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """Describe the ways in which a route may fail, for the API's description."""
    return {
        status: ResponseSpec(Problem, description=MEANINGS[status], media_type=PROBLEM_JSON, generate_examples=False)
        for status in statuses
    }


PROBLEMS = problems(400, 401, 404, 408, 413, 415, 422, 429, 431, 500, 503, 504)  # of every task


def on_service_error(request: Request[Any, Any, Any], error: ServiceError) -> Response[bytes]:
    return _respond(request, error, headers_of(error))


async def send_problem(scope: HTTPScope, send: Send, error: ServiceError) -> None:
    """Send a problem where no handler of Litestar's can: before anything is read, or after the application has
    ended."""
    body = msgspec.json.encode(_write(ASGIConnection(scope), error))
    headers = {"content-type": PROBLEM_JSON, "content-length": str(len(body)), **headers_of(error)}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what Litestar itself refuses: unknown paths, wrong methods, bodies over the limit."""
    return _respond(request, _translate(error), _headers(error))


def on_any_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer a bug: the caller learns the request's id, and the log has the rest."""
    return _respond(request, _report(request, error), {})


def problem_of(request: Request[Any, Any, Any], error: Exception) -> Problem:
    """Make the problem that ends a stream which has begun. Any error but a ServiceError is a bug."""
    return _write(request, error if isinstance(error, ServiceError) else _report(request, error))


HANDLERS: ExceptionHandlersMap = {
    ServiceError: on_service_error,
    HTTPException: on_http_exception,
    Exception: on_any_exception,
}


def _report(request: Request[Any, Any, Any], error: Exception) -> ServiceError:
    _log.error("unexpected error", extra={"request_id": context_of(request).request_id, **error_fields(error)})
    return ServiceError("something unexpected happened; the log has more under this id")


def _translate(error: HTTPException) -> ServiceError:
    if error.status_code >= 500:
        return ServiceError("something unexpected happened; the log has more under this id")
    if isinstance(error, ValidationException):
        return InvalidRequestError(error.detail, errors=_field_errors(error.extra))
    match error.status_code:
        case 404:
            return UnknownPathError("nothing lives at this path; GET /schema lists what there is")
        case 405:
            allowed = _headers(error).get("allow", "other methods")
            return MethodNotAllowedError(f"this path takes {allowed}")
        case 413:
            return BodyTooLargeError("the body has more bytes than the service reads")
        case 415:
            return UnsupportedMediaTypeError(error.detail)
    return RequestError(error.detail)


def _headers(error: HTTPException) -> dict[str, str]:
    """Return Litestar's headers with HEAD among the allowed methods: it is answered wherever GET is."""
    headers = dict(error.headers or {})
    if "GET" in headers.get("allow", ""):
        headers["allow"] = headers["allow"].replace("GET", "GET, HEAD")
    return headers


def _field_errors(extra: Any) -> list[FieldError]:
    found = extra if isinstance(extra, list) else []
    return [FieldError(path=str(each.get("key", "")), message=str(each.get("message", ""))) for each in found]


def _respond(request: Request[Any, Any, Any], error: ServiceError, headers: Mapping[str, str]) -> Response[bytes]:
    return Response(
        msgspec.json.encode(_write(request, error)),
        status_code=error.status,
        media_type=PROBLEM_JSON,
        headers=dict(headers),
    )


def _write(request: ASGIConnection[Any, Any, Any, Any], error: ServiceError) -> Problem:
    """Make the document and record its kind in the context. The traceback is dropped: its frames hold the error and all
    of the request."""
    error.with_traceback(None)
    context = context_of(request)
    context.kind = error.kind
    return document(error, context.request_id)


def headers_of(error: ServiceError) -> dict[str, str]:
    """Return the headers that come with the document."""
    headers = dict(error.headers)
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, ceil(error.retry_after_seconds)))
    return headers


def document(error: ServiceError, request_id: str) -> Problem:
    errors = [FieldProblem(_sendable(each.path), _sendable(each.message)) for each in error.errors]
    return Problem(
        type=f"urn:ribbon:problem:{error.kind}",
        title=error.title,
        status=error.status,
        detail=_sendable(error.detail),
        kind=error.kind,
        request_id=request_id,
        errors=errors or msgspec.UNSET,
    )


def document_bytes(error: ServiceError, request_id: str) -> bytes:
    return msgspec.json.encode(document(error, request_id))


def _sendable(text: str) -> str:
    """Shorten a message and escape lone surrogates, which UTF-8 cannot hold: a message may quote what the caller
    sent."""
    if len(text) > MAX_MESSAGE_LENGTH:
        half = MAX_MESSAGE_LENGTH // 2
        text = f"{text[:half]} … {text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode()

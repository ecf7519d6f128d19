"""Errors of the service, as a tree. Each class carries its HTTP status and its stable kind.

::

    ServiceError                      500 internal_error
      RequestError
        MalformedHttpError            400 malformed_http
        MalformedRequestError         400 malformed_json
        UnauthorizedError             401 unauthorized
        CrossOriginError              403 cross_origin
        UnknownPathError              404 not_found
        UnknownModelError             404 unknown_model
        MethodNotAllowedError         405 method_not_allowed
        BodyTimeoutError              408 body_timeout
        BodyTooLargeError             413 body_too_large
        UnsupportedMediaTypeError     415 unsupported_media_type
          UnsupportedEncodingError    415 unsupported_media_type
        UnknownHostError              421 unknown_host
        InvalidRequestError           422 invalid_request
          NoWordsError                422 invalid_request
          InputTooLongError           422 input_too_long
        HeadTooLargeError             431 head_too_large
        CallerLeftError               499 caller_left (counted, never sent)
          UnreadAnswerError           499 answer_unread (counted, never sent)
      CapacityError
        OverloadedError               429 overloaded
        RateLimitedError              429 rate_limited
        NotReadyError                 503 not_ready
        TooManyConnectionsError       503 too_many_connections
        TooManyBodiesError            503 too_many_bodies
        DeadlineExceededError         504 deadline_exceeded
      ModelFailedError                500 model_failed
      ReloadFailedError               409 reload_failed

    StartupError                      the process ends with its message
      SettingsError
      BundleError
      DeviceError
      AddressError
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Self

MAX_REPORTED = 20  # of many mistakes in one request


@dataclass(frozen=True, slots=True)
class FieldError:
    """An error in one field of a request: its path, as ``text[3]`` or ``tokens[0][2]``, and a message."""

    path: str
    message: str


class ServiceError(Exception):
    """Base class of errors that are answered by a problem document."""

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    headers: Mapping[str, str] = MappingProxyType({})  # of the answer

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_seconds = retry_after_seconds


class RequestError(ServiceError):
    """The caller must change the request."""

    status, kind, title = 400, "bad_request", "Bad request"


class MalformedHttpError(RequestError):
    """The bytes of the connection are not HTTP/1.1."""

    kind, title = "malformed_http", "Malformed HTTP"


class MalformedRequestError(RequestError):
    """The body is not one JSON document in UTF-8."""

    kind, title = "malformed_json", "Malformed JSON"


class UnauthorizedError(RequestError):
    """The request has no API key, or one that the service does not know."""

    status, kind, title = 401, "unauthorized", "Unauthorized"
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})


class CrossOriginError(RequestError):
    """A browser sent the request for a page of another origin."""

    status, kind, title = 403, "cross_origin", "Request from another origin"


class UnknownPathError(RequestError):
    """No route has this path."""

    status, kind, title = 404, "not_found", "Unknown path"


class UnknownModelError(RequestError):
    """No model of this name and task is served; the detail lists those that are."""

    status, kind, title = 404, "unknown_model", "Unknown model"


class MethodNotAllowedError(RequestError):
    """The path is a route's, but the method is not."""

    status, kind, title = 405, "method_not_allowed", "Method not allowed"


class BodyTimeoutError(RequestError):
    """The whole request did not arrive in time."""

    status, kind, title = 408, "body_timeout", "Request too slow"
    headers = MappingProxyType({"Connection": "close"})  # the rest of it may still come


class BodyTooLargeError(RequestError):
    """The body has more bytes than the service reads."""

    status, kind, title = 413, "body_too_large", "Body too large"


class UnsupportedMediaTypeError(RequestError):
    """The body is declared as something other than JSON in UTF-8."""

    status, kind, title = 415, "unsupported_media_type", "Unsupported media type"


class UnsupportedEncodingError(UnsupportedMediaTypeError):
    """The body is compressed in a way that the service does not know."""

    headers = MappingProxyType({"Accept-Encoding": "gzip"})


class UnknownHostError(RequestError):
    """The request is addressed to a host that the service is not known to be."""

    status, kind, title = 421, "unknown_host", "Unknown host"


class InvalidRequestError(RequestError):
    """The body is JSON, but not a valid request; ``errors`` says where."""

    status, kind, title = 422, "invalid_request", "Invalid request"

    @classmethod
    def at(cls, path: str, message: str) -> Self:
        """Return the error of one field; ``message`` goes on from its path, as ``must not be empty``."""
        return cls.of([FieldError(path=path, message=message)])

    @classmethod
    def of(cls, problems: Sequence[FieldError]) -> Self:
        """Return the error that names these fields, the first ones of many."""
        first = problems[0]
        return cls(": ".join(filter(None, (first.path, first.message))), errors=problems[:MAX_REPORTED])


class NoWordsError(InvalidRequestError):
    """A text has no word where the task needs one."""


class InputTooLongError(InvalidRequestError):
    """A text is over a limit; the message gives the limit and the actual length."""

    kind, title = "input_too_long", "Input too long"


class HeadTooLargeError(RequestError):
    """The path and the headers have more bytes than the service reads."""

    status, kind, title = 431, "head_too_large", "Headers too large"


class CallerLeftError(RequestError):
    """The connection closed before the answer was there. It is counted, and sent to nobody."""

    status, kind, title = 499, "caller_left", "Caller left"


class UnreadAnswerError(CallerLeftError):
    """The caller took longer to read the answer than the limit."""

    kind, title = "answer_unread", "Answer not read"


class CapacityError(ServiceError):
    """The request is right; the service cannot answer it now."""


class OverloadedError(CapacityError):
    """The queue cannot finish the request in time; the caller may try again."""

    status, kind, title = 429, "overloaded", "Overloaded"


class RateLimitedError(CapacityError):
    """The caller has sent more items than its rate limit allows; the service may well be idle."""

    status, kind, title = 429, "rate_limited", "Rate limited"


class NotReadyError(CapacityError):
    """The models are still loading, or the process is about to end."""

    status, kind, title = 503, "not_ready", "Not ready"


class TooManyConnectionsError(CapacityError):
    """The limit of open connections is reached."""

    status, kind, title = 503, "too_many_connections", "Too many connections"


class TooManyBodiesError(CapacityError):
    """The limit of memory that bodies may take together is reached."""

    status, kind, title = 503, "too_many_bodies", "Too many bodies"


class DeadlineExceededError(CapacityError):
    """The caller's deadline passed, or would have, before the work was done."""

    status, kind, title = 504, "deadline_exceeded", "Deadline exceeded"


class ModelFailedError(ServiceError):
    """The model's run raised an error, or its outputs are no answer: a bug."""

    kind, title = "model_failed", "Model failed"


class ReloadFailedError(ServiceError):
    """The models in the folder cannot be served; the detail says why, and those that were served before still are."""

    status, kind, title = 409, "reload_failed", "Reload failed"


class StartupError(Exception):
    """The service cannot start; the message is written for the person who started it."""


class SettingsError(StartupError):
    """An environment variable is misspelt or out of range."""


class BundleError(StartupError):
    """A bundle is missing, damaged or not what its manifest says; the message names the file."""


class DeviceError(StartupError):
    """The configured device does not exist."""


class AddressError(StartupError):
    """The configured address cannot be listened on: another process does, or it is no address of this machine."""

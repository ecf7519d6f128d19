"""Errors of the client, as a tree.

::

    RibbonError
      ModelError                 a model cannot be loaded in this process
      UnreachableError           no answer: no connection, or one that broke
      ServiceError               the service answered with a problem document
        RequestError             4xx: the request must be changed
          UnauthorizedError      401
          UnknownModelError      404, kind unknown_model
          InvalidRequestError    422
        CapacityError            429 and 503: the request may be sent again later
          DeadlineExceededError  504, or no answer within the deadline
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command line prints its help without msgspec
    from ribbon.answers import Problem


class RibbonError(Exception):
    """Base class of all errors that the client raises; the message is written for people."""


class ModelError(RibbonError):
    """A model cannot be loaded in this process: it is missing, damaged, or its settings are wrong."""


class UnreachableError(RibbonError):
    """The service did not answer: there is no connection, or it broke."""


class ServiceError(RibbonError):
    """The service answered with a problem document."""

    def __init__(self, problem: Problem, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"{problem.detail} ({problem.status} {problem.kind})")
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds

    @property
    def status(self) -> int:
        """HTTP status."""
        return self.problem.status

    @property
    def kind(self) -> str:
        """Stable name of the problem, such as ``overloaded``."""
        return self.problem.kind


class RequestError(ServiceError):
    """The request must be changed."""


class UnauthorizedError(RequestError):
    """The service asks for a key, and there was none or a wrong one."""


class UnknownModelError(RequestError):
    """No model of this name answers this task."""


class InvalidRequestError(RequestError):
    """A field or a text is wrong; ``problem.errors`` says where."""


class CapacityError(ServiceError):
    """The service cannot answer now; the same request may be sent again."""


class DeadlineExceededError(CapacityError):
    """There was no answer within the deadline."""


CLASSES: dict[int, type[ServiceError]] = {
    401: UnauthorizedError,
    422: InvalidRequestError,
    429: CapacityError,
    503: CapacityError,
    504: DeadlineExceededError,
}


def error_of(problem: Problem, *, retry_after_seconds: float | None = None) -> ServiceError:
    """Return the error of a problem document, by its status and kind."""
    if problem.kind == "unknown_model":
        return UnknownModelError(problem)
    usual = RequestError if 400 <= problem.status < 500 else ServiceError
    return CLASSES.get(problem.status, usual)(problem, retry_after_seconds=retry_after_seconds)

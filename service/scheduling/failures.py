"""What callers are told when a model's run raises, and what is written down."""

from __future__ import annotations

import logging
from traceback import extract_tb

from service.errors import ModelFailedError, ServiceError

_log = logging.getLogger(__name__)


def failure_of(error: Exception) -> ServiceError:
    """The error for those who had a part in the run. Logs where it was raised; the message is left out: it may quote
    the text."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
    _log.error("a model run failed", extra={"error": type(error).__name__, "frames": frames})
    return error if isinstance(error, ServiceError) else ModelFailedError("the model's run failed")

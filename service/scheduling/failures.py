"""Failed model runs: the error for the callers, and the log line."""

from __future__ import annotations

import logging
from traceback import extract_tb

from service.errors import ModelFailedError, ServiceError

_log = logging.getLogger(__name__)


def failure_of(error: Exception) -> ServiceError:
    """Log where an error was raised, and return the error for all requests that had a part in the run. Its message is
    left out of the log: it may quote the text."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
    _log.error("a model run failed", extra={"error": type(error).__name__, "frames": frames})
    return error if isinstance(error, ServiceError) else ModelFailedError("the model's run failed")

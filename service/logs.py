"""Structured logs: one JSON object a line, with the request's id. They never hold text of callers."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from traceback import extract_tb
from typing import Any, Literal

import msgspec

_encoder = msgspec.json.Encoder(enc_hook=str)
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: time, level, message and the fields of ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **extras(record),
        }
        return _encoder.encode(line).decode()


class TextFormatter(logging.Formatter):
    """Formats a record as a line for a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        words = [f"{name}={value}" for name, value in extras(record).items()]
        return " ".join([time, record.levelname.lower(), record.getMessage(), *words])


def configure_logging(*, level: str, format: Literal["json", "text"]) -> None:  # noqa: A002 (the setting's name)
    """Send every logger to standard error in one form; the server's own lines from warnings on only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    # These fields are not printed, and finding them out is half the cost of a record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def name_worker(number: int) -> None:
    """Add the number of this worker to every line from now on."""

    def add(record: logging.LogRecord) -> bool:
        record.worker = number
        return True

    for handler in logging.getLogger().handlers:
        handler.addFilter(add)


def log_request(log: logging.Logger, fields: Mapping[str, Any]) -> None:
    """Do what ``log.info("request", extra=fields)`` does, without its costly search for the calling line."""
    record = logging.LogRecord(log.name, logging.INFO, __file__, 0, "request", (), None)
    record.__dict__.update(fields)
    log.handle(record)


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a record beside its message, those of an exception included."""
    fields = {name: value for name, value in vars(record).items() if name not in _PLAIN}
    if record.exc_info and record.exc_info[1]:
        fields |= error_fields(record.exc_info[1])
    return fields


def error_fields(error: BaseException) -> dict[str, Any]:
    """Return an exception's type and where it was raised. Its message is left out: it may quote the text."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
    return {"error": type(error).__name__, "frames": frames}

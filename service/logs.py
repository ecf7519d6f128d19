"""Structured logs: one JSON object a line, with the request's id. They never hold text of callers."""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from traceback import extract_tb
from typing import Any, Literal

import msgspec

MAX_WAITING_LINES = 4096  # some MB
MAX_LINES_AT_ONCE = 256  # in one write
GATHER_SECONDS = 0.01
FLUSH_SECONDS = 1.0  # at the end of the process, for lines that still wait
STANDARD_ERROR = 2
_encoder = msgspec.json.Encoder(enc_hook=str)
_REQUEST = vars(logging.LogRecord("", logging.INFO, __file__, 0, "request", (), None))  # of the line of a request
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


class BackgroundHandler(logging.Handler):
    """Hands records to a thread that writes them to standard error, so that a pipe that nobody reads stops nothing.

    The thread gathers the lines of a few milliseconds and writes them together: to wake it for each would cost the
    event loop more than the line. A record that finds the queue full is lost: it is counted by ``on_lost``, and the log
    says how many were lost as soon as lines can be written again. A forked process gets a queue and a thread of its
    own.
    """

    _is_awake: bool  # whether the thread will look at the queue again without being told
    _wanted: threading.Event

    def __init__(self, formatter: logging.Formatter, descriptor: int = STANDARD_ERROR) -> None:
        super().__init__()
        self.on_lost: Callable[[], None] = lambda: None
        self._lines = formatter
        self._descriptor = descriptor
        self._num_lost = 0
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._waiting) >= MAX_WAITING_LINES:
            self._lose(1)
            return
        self._waiting.append(record)
        if not self._is_awake:
            self._is_awake = True
            self._wanted.set()

    def flush(self) -> None:
        """Wait a moment until all lines are written; called at the end of the process."""
        latest = time.monotonic() + FLUSH_SECONDS
        while (self._is_awake or self._is_writing) and time.monotonic() < latest:
            time.sleep(GATHER_SECONDS / 4)

    def _start(self) -> None:
        self._waiting: deque[logging.LogRecord] = deque()
        self._is_awake = False
        self._is_writing = False
        self._wanted = threading.Event()
        self._counting = threading.Lock()
        threading.Thread(target=self._write_always, name="log", daemon=True).start()

    def _lose(self, number: int) -> None:
        with self._counting:
            self._num_lost += number
        for _ in range(number):
            self.on_lost()

    def _write_always(self) -> None:
        """Write the records that wait, whenever there are any, on the thread."""
        while self._wanted.wait():
            self._wanted.clear()
            time.sleep(GATHER_SECONDS)
            self._is_writing = True
            self._is_awake = False  # from here on a record that is not seen below sets the event again
            while self._waiting:
                self._write([self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_LINES_AT_ONCE))])
            self._is_writing = False

    def _write(self, records: Sequence[logging.LogRecord]) -> None:
        """Write records, and how many were lost before them."""
        try:
            lines = "".join([f"{self._lines.format(record)}\n" for record in records])
            write_whole(self._descriptor, lines.encode("utf-8", "backslashreplace"))
        except Exception:  # the reader has gone, the disk is full: whatever it is, the thread goes on
            self._lose(len(records))
            return
        with self._counting:
            lost, self._num_lost = self._num_lost, 0
        if lost:
            said = logging.LogRecord(__name__, logging.WARNING, __file__, 0, "lines of this log were lost", (), None)
            said.lines = lost
            self._write([said])


def write_whole(descriptor: int, content: bytes) -> None:
    """Write to a file descriptor, and wait where another program has made it non-blocking. Raises OSError. No stream of
    Python's is used: a thread that is stuck in a write holds a stream's lock, for which the interpreter waits at its
    end."""
    left = memoryview(content)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            select.select([], [descriptor], [])


def configure_logging(*, level: str, format: Literal["json", "text"]) -> BackgroundHandler:  # noqa: A002 (the setting's name)
    """Send every logger to standard error in one form, the server's own from warnings on; return the handler."""
    handler = BackgroundHandler(JsonFormatter() if format == "json" else TextFormatter())
    # These fields are not printed, and finding them out is half the cost of a record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    return handler


def name_worker(number: int) -> None:
    """Add the number of this worker to every line from now on."""

    def add(record: logging.LogRecord) -> bool:
        record.worker = number
        return True

    for handler in logging.getLogger().handlers:
        handler.addFilter(add)


def log_request(log: logging.Logger, fields: Mapping[str, Any]) -> None:
    """Do what ``log.info("request", extra=fields)`` does, without its costly search for the calling line."""
    record = object.__new__(logging.LogRecord)
    record.__dict__ = {**_REQUEST, "name": log.name, "created": time.time(), **fields}
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

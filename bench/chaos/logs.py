"""The service's log after the run: every line JSON, no error that nothing explains, and never anybody's text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.chaos.nuisances import MARKER

ERRORS = ("error", "critical")
MAX_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One log record."""

    at: float
    level: str
    message: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """While something is done to an instance that it may well complain of."""

    instance: str
    since: float
    until: float


class NotALineError(Exception):
    """Something was printed that is no log record."""


def parse(line: str) -> Line:
    """Raises NotALineError."""
    try:
        fields = json.loads(line)
        at = datetime.fromisoformat(fields["time"]).timestamp()
        return Line(at=at, level=fields["level"], message=fields["message"], fields=fields)
    except (ValueError, KeyError, TypeError):
        raise NotALineError(line[:200]) from None


def read(path: Path) -> Iterator[Line | NotALineError]:
    """The lines of a log so far; a last line without an end is left for later."""
    content = path.read_text("utf-8", errors="replace")
    for line in content[: content.rfind("\n") + 1].splitlines():
        try:
            yield parse(line)
        except NotALineError as error:
            yield error


def errors_since(path: Path, since: float) -> list[Line]:
    return [line for line in read(path) if isinstance(line, Line) and line.level in ERRORS and line.at >= since]


def faults(instance: str, path: Path, windows: Iterable[Window], texts: Sequence[str]) -> list[str]:
    """The lines that should not be in this log."""
    own = [window for window in windows if window.instance == instance]
    return [f"{path.name}: {fault}" for fault in [*_unexplained(path, own), *_quotations(path, texts)]][:MAX_NAMED]


def _unexplained(path: Path, windows: Sequence[Window]) -> Iterator[str]:
    for line in read(path):
        if isinstance(line, NotALineError):
            yield f"not a log record: {line}"
        elif line.level in ERRORS and not any(window.since <= line.at <= window.until for window in windows):
            yield f"{line.level} that nothing explains: {line.message} {line.fields}"


def _quotations(path: Path, texts: Sequence[str]) -> Iterator[str]:
    content = path.read_text("utf-8", errors="replace")
    yield from (f"holds a caller's text: {text!r}" for text in [MARKER, *texts] if text in content)


def answered_ids(path: Path) -> set[str]:
    """Ids of the requests that this log says were answered with 200."""
    lines = (line for line in read(path) if isinstance(line, Line))
    return {
        line.fields["request_id"] for line in lines if line.fields.get("status") == 200 and "request_id" in line.fields
    }

"""The error of data that nothing can be learned from, and sentences about lines."""

from __future__ import annotations

from collections.abc import Sequence

NAMED_LINES = 5


class DataError(Exception):
    """Data or options that cannot be used. The message is a sentence that says what is wrong, where, and what helps."""


def lines_text(lines: Sequence[int]) -> str:
    """Line numbers in words: ``line 3``, ``lines 3, 9 and 12``, ``lines 1, 2, 3, 4, 5 and 40 more``."""
    if len(lines) == 1:
        return f"line {lines[0]}"
    named, more = lines[:NAMED_LINES], len(lines) - NAMED_LINES
    if more > 0:
        return f"lines {', '.join(map(str, named))} and {more:,} more"
    return f"lines {', '.join(map(str, named[:-1]))} and {named[-1]}"


def count_text(count: int, noun: str, plural: str = "") -> str:
    """A number with its noun: ``1 text``, ``2,000 texts``, ``2 entities``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"

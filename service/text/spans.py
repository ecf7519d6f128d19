"""Stretches of a text and their offsets in the caller's unit; labelled spans of a sentence, and the tags that write
them down, one a token.

BIOES (also called BILOU): ``B-`` begins, ``I-`` continues, ``E-`` ends, ``S-`` is alone, ``O`` is outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

OUTSIDE = "O"
OffsetUnit = Literal["codepoint", "utf16", "byte"]
OffsetTable = npt.NDArray[np.int64]  # by code point


class Stretch(NamedTuple):
    """Stretch of a text, half-open, in code points."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start

    def within(self, text: str) -> str:
        """Return what the stretch holds of its text."""
        return text[self.start : self.end]

    def moved(self, offset: int) -> Stretch:
        """Return the same stretch of a text that has so many more characters before it."""
        return Stretch(self.start + offset, self.end + offset)


def stretch_of(text: str) -> Stretch:
    """Return the stretch of a text without the white space at its edges; it ends before it begins if that is all."""
    return Stretch(len(text) - len(text.lstrip()), len(text.rstrip()))


def offset_table(text: str, unit: OffsetUnit) -> OffsetTable | None:
    """Return a table in which ``table[i]`` is where code point ``i`` begins in ``unit``, up to and with ``len(text)``.
    It is None where the table would say nothing: for code points, ASCII, and UTF-16 without astral characters. Bytes
    are those of UTF-8; a lone surrogate, which has none, counts as three."""
    if unit == "codepoint" or text.isascii():
        return None
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")  # (character,)
    astral = points >= 0x10000
    if unit == "utf16":
        return _table_of(1 + astral) if astral.any() else None
    return _table_of(1 + (points >= 0x80) + (points >= 0x800) + astral)


def _table_of(widths: npt.NDArray[np.int64]) -> OffsetTable:
    table = np.zeros(len(widths) + 1, np.int64)
    np.cumsum(widths, out=table[1:])
    return table


class Span(NamedTuple):
    """Tokens ``start`` to ``end`` (exclusive) carry ``label``."""

    label: str
    start: int
    end: int


def tags_of(spans: Iterable[Span], length: int) -> list[str]:
    """BIOES tags of a sentence of ``length`` tokens. Raises ValueError if spans overlap or leave it."""
    tags = [OUTSIDE] * length
    for span in spans:
        if not 0 <= span.start < span.end <= length or any(t != OUTSIDE for t in tags[span.start : span.end]):
            raise ValueError(f"span {span} overlaps another or leaves the sentence of {length} tokens")
        last = span.end - 1
        tags[span.start : span.end] = [f"I-{span.label}"] * (span.end - span.start)
        tags[span.start] = f"{'S' if span.start == last else 'B'}-{span.label}"
        if span.start < last:
            tags[last] = f"E-{span.label}"
    return tags


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The spans of a tag sequence in BIOES, IOB2 or IOB1, read as ``conlleval`` reads them. Total on any sequence: an
    ``I-`` or ``E-`` with nothing to continue begins a span."""
    spans: list[Span] = []
    start, open_label = 0, ""
    for i, tag in enumerate([*tags, OUTSIDE]):
        prefix, _, label = tag.partition("-")
        if open_label and (prefix in "OBS" or label != open_label):
            spans.append(Span(open_label, start, i))
            open_label = ""
        if prefix != OUTSIDE and not open_label:
            start, open_label = i, label
        if prefix in ("E", "S") and open_label:
            spans.append(Span(open_label, start, i + 1))
            open_label = ""
    return spans


def bioes_tags(labels: Iterable[str]) -> list[str]:
    """Every tag of a set of labels: O first, then B, I, E, S of each label."""
    return [OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BIES")]


def legal_transitions(tags: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return which tag may follow which, (from, to) over ``len(tags) + 1``: last are begin (row) and end (column)."""
    edge = len(tags)
    closed = [tag[0] in "OES" for tag in tags] + [True]
    opens = [tag[0] in "OBS" for tag in tags] + [True]
    labels = [tag[2:] for tag in tags] + [""]
    legal = np.zeros((edge + 1, edge + 1), np.bool_)
    for i in range(edge + 1):
        for j in range(edge + 1):
            same = not closed[i] and not opens[j] and labels[i] == labels[j]
            legal[i, j] = (closed[i] and opens[j]) or same
    legal[edge, edge] = False  # a sentence is never empty
    return legal

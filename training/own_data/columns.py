"""The columns of a table that hold the text and the label, or both sides of a translation, guessed or named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.own_data.errors import DataError
from training.own_data.table import Table, TableRow

TEXT_NAMES = (
    "text", "sentence", "message", "body", "content", "utterance", "comment", "review", "tweet", "question", "query",
    "document", "description", "subject", "title", "input",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "class", "category", "intent", "target", "topic", "tag", "sentiment", "emotion", "type", "queue",
    "department", "priority", "output",
)  # fmt: skip
MOST_LABELS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Two columns of a table by place, and its rows without a header."""

    first: int
    second: int
    names: tuple[str, str]
    rows: Sequence[TableRow]


def find_columns(table: Table, *, text: str | None = None, label: str | None = None) -> Columns:
    """The text and the label column: those named, else by their header, else by their contents.

    Columns without a header are named by their number, from 1. Raises DataError if a named column is missing or nothing
    fits.
    """
    header = _header_of(table, wanted=[name for name in (text, label) if name])
    rows = table.rows if table.columns or not header else table.rows[1:]
    names = list(header) or [str(place + 1) for place in range(len(table.rows[0].cells))]
    if not rows:
        raise DataError(f"{table.path} has a header and no row behind it.")
    text_place = _place_of(table, names, text, "--text-column")
    label_place = _place_of(table, names, label, "--label-column")
    free = [place for place in range(len(names)) if place not in (text_place, label_place)]
    if label_place is None:
        label_place = _by_name(names, LABEL_NAMES, free)
    if text_place is None:
        text_place = _by_name(names, TEXT_NAMES, [place for place in free if place != label_place])
    if label_place is None:
        label_place = _label_like(rows, [place for place in free if place != text_place])
    if text_place is None:
        text_place = _longest(rows, [place for place in free if place != label_place])
    if text_place is None or label_place is None:
        missing = "text" if text_place is None else "label"
        raise DataError(
            f"{table.path}: no column looks like a {missing}; the columns are {', '.join(names)}. "
            f"Name it with --{missing}-column."
        )
    return Columns(first=text_place, second=label_place, names=(names[text_place], names[label_place]), rows=rows)


def _header_of(table: Table, *, wanted: Sequence[str]) -> Sequence[str]:
    """The names of the columns; empty if the first row is none."""
    if table.columns:
        return table.columns
    cells = [cell.strip() for cell in table.rows[0].cells]
    known = {*TEXT_NAMES, *LABEL_NAMES, *(name for name in wanted if not name.isdigit())}
    if len(set(cells)) < len(cells) or not all(cells):
        return ()
    if any(cell.casefold() in known or cell in known for cell in cells):
        return cells
    # A header is the one value of a column of labels that does not come again.
    place = _label_like(table.rows[1:], list(range(len(cells))))
    if place is None or any(row.cells[place].strip() == cells[place] for row in table.rows[1:]):
        return ()
    return cells if all(len(cell) < 40 for cell in cells) else ()


def _place_of(table: Table, names: Sequence[str], name: str | None, option: str) -> int | None:
    if name is None:
        return None
    if name in names:
        return names.index(name)
    if name.isdigit() and 0 < int(name) <= len(names):
        return int(name) - 1
    raise DataError(f"{table.path} has no column {name!r} for {option}; its columns are {', '.join(names)}.")


def _by_name(names: Sequence[str], known: Sequence[str], free: Sequence[int]) -> int | None:
    by_name = {names[place].casefold(): place for place in reversed(free)}
    return next((by_name[name] for name in known if name in by_name), None)


def _label_like(rows: Sequence[TableRow], free: Sequence[int]) -> int | None:
    """The column whose values come again most often; None if in none of them at least half do."""
    distinct = {place: len({row.cells[place].strip() for row in rows}) for place in free}
    best = min(distinct, key=lambda place: (distinct[place], place), default=None)
    if best is None or not rows or distinct[best] > min(MOST_LABELS, max(2, len(rows) // 2)):
        return None
    return best


def _longest(rows: Sequence[TableRow], free: Sequence[int]) -> int | None:
    return max(free, key=lambda place: (sum(len(row.cells[place]) for row in rows), -place), default=None)

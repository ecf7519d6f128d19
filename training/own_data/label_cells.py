"""The labels of a table's cells: one a cell, or several, as a JSON list or with a separator between them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from training.own_data.errors import DataError
from training.own_data.table import TableRow

SEPARATORS = (",", ";", "|")  # tried in this order where none is named
NO_SEPARATOR = "none"


def labels_of_cell(path: Path, row: TableRow, place: int, separator: str) -> tuple[str, ...] | None:
    """The labels of a cell without repetition, or None if it has none stated. An empty JSON list states that there is
    no label. Raises DataError if a list holds other values than texts and numbers."""
    cell = row.cells[place].strip()
    if not cell:
        return None
    if (listed := _json_list(cell)) is not None:
        if not all(isinstance(value, str | int | float) for value in listed):
            raise DataError(f"{path}, line {row.line}: a list of labels holds texts; {cell[:60]!r} holds other values.")
        return _distinct([str(value) for value in listed])
    return _distinct(cell.split(separator) if separator else [cell]) or None


def separator_of(rows: Sequence[TableRow], place: int, wanted: str | None) -> str:
    """The separator between the labels of a column: the one that is wanted, else the first that the cells show; empty
    if a cell is one label.

    A character separates labels if each part of each cell that has it is also part of another value of the column. So
    it is not taken for one within a name ("food, drink").
    """
    if wanted is not None:
        return "" if wanted == NO_SEPARATOR else wanted
    values = {cell for row in rows if _json_list(cell := row.cells[place].strip()) is None}
    return next((each for each in SEPARATORS if _separates(each, values)), "")


def _separates(separator: str, values: set[str]) -> bool:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for value in values:
        for part in _distinct(value.split(separator)):
            found[part].add(value)
    joined = [value for value in values if separator in value]
    return bool(joined) and all(len(found[part]) > 1 for value in joined for part in _distinct(value.split(separator)))


def _json_list(cell: str) -> list[object] | None:
    if not cell.startswith("["):
        return None
    try:
        value = json.loads(cell)
    except ValueError:
        return None
    return value if isinstance(value, list) else None


def _distinct(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))

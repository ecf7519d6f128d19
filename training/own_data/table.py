"""Tables of CSV, TSV and JSON Lines, row by row with line numbers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.own_data.errors import DataError, count_text, lines_text
from training.own_data.text_file import read_lines

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_ROWS = 200
LONGEST_CELL = 10_000_000  # characters
JSON_SUFFIXES = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """The cells of a row, one a column of the table, and the line on which it ends."""

    line: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as it stands in a file. ``columns`` are the keys of JSON; of CSV and TSV the first row may be a header
    or not, which the reader of its columns decides."""

    path: Path
    rows: list[TableRow]
    columns: Sequence[str] = ()
    notes: list[str] = field(default_factory=list)


def read_table(path: Path, *, encoding: str | None = None, skip_malformed: bool = False) -> Table:
    """Read a table by the end of its name: ``.csv``, ``.tsv``, ``.jsonl``, each maybe ``.gz``.

    Raises DataError on a file that cannot be read, and on malformed lines unless these are to be skipped.
    """
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    if suffix == ".json":
        raise DataError(f"{path}: JSON Lines are read, one object a line, in a file .jsonl; not a .json of one value.")
    if suffix not in (".csv", ".tsv", ".txt", *JSON_SUFFIXES):
        raise DataError(f"{path}: what form is this? Known are .csv, .tsv and .jsonl, each also with .gz.")
    lines = read_lines(path, encoding)
    if suffix in JSON_SUFFIXES:
        return _read_json(path, lines, skip_malformed=skip_malformed)
    if suffix == ".csv":
        rows = list(_csv_rows(path, lines, delimiter=_delimiter_of(lines)))
    else:
        rows = [TableRow(line=i, cells=line.split("\t")) for i, line in enumerate(lines, 1) if line.strip()]
    return _checked(path, rows, skip_malformed=skip_malformed)


def _delimiter_of(lines: Sequence[str]) -> str:
    """The delimiter by which most of the first lines have the same number of cells, two or more."""

    def evenness(delimiter: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines[:SNIFFED_ROWS], delimiter=delimiter) if row]
        usual = max(set(widths), key=widths.count, default=0)
        return (widths.count(usual) if usual > 1 else 0), usual

    return max(DELIMITERS, key=evenness)


def _csv_rows(path: Path, lines: Sequence[str], *, delimiter: str) -> Iterator[TableRow]:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield TableRow(line=reader.line_num, cells=row)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}; is a quotation mark missing?") from error


def _checked(path: Path, rows: list[TableRow], *, skip_malformed: bool) -> Table:
    """The table, if all rows have the same number of cells."""
    widths = [len(row.cells) for row in rows]
    usual = max(set(widths), key=widths.count, default=0)
    if usual < 2:
        raise DataError(f"{path} has one column only: two are needed, with commas or tabs between them.")
    wrong = [row for row in rows if len(row.cells) != usual]
    if wrong and not skip_malformed:
        raise DataError(
            f"{path}, {lines_text([row.line for row in wrong])}: {count_text(len(wrong[0].cells), 'cell')} where the "
            f"other rows have {usual}. A comma within a text needs quotation marks around it; --skip-malformed leaves "
            "such lines out."
        )
    kept = [row for row in rows if len(row.cells) == usual]
    return Table(path=path, rows=kept, notes=_left_out([row.line for row in wrong]))


def _read_json(path: Path, lines: Sequence[str], *, skip_malformed: bool) -> Table:
    records, wrong, reason = [], [], ""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise TypeError("not an object in braces")
            records.append((number, record))
        except (ValueError, TypeError) as error:
            reason = reason or str(error)
            wrong.append(number)
    if wrong and not (skip_malformed and records):
        raise DataError(
            f"{path}, {lines_text(wrong)}: no JSON object ({reason}); --skip-malformed leaves such lines out."
        )
    columns = list(dict.fromkeys(key for _, record in records for key in record))
    rows = [
        TableRow(line=number, cells=[_cell(record.get(column)) for column in columns]) for number, record in records
    ]
    return Table(path=path, rows=rows, columns=columns, notes=_left_out(wrong))


def _cell(value: object) -> str:
    """A JSON value as text: a string as it is, nothing for null, any other value as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _left_out(lines: Sequence[int]) -> list[str]:
    return [f"Left out as malformed: {lines_text(lines)}."] if lines else []

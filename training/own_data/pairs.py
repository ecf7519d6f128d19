"""Sentence pairs of one's own, from a table of two columns, split into train, dev and test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpora.open_parallel import without
from training.corpora.parallel import Pair
from training.corpora.text_key import key_of
from training.own_data.errors import DataError, count_text, lines_text
from training.own_data.split import split
from training.own_data.table import Table, TableRow, read_table

FEWEST_PAIRS = 100
CODE = re.compile(r"[a-z]{2,3}")  # of a language
MOST_HELD_OUT_PAIRS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """The options of reading pairs."""

    languages: str | None = None  # "en-es"
    encoding: str | None = None
    skip_malformed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PairData:
    """Pairs to learn from, to choose by and to measure by."""

    train: Sequence[Pair]
    dev: Sequence[Pair]
    test: Sequence[Pair]
    direction: str  # "en-es"
    notes: list[str]


def read_pair_splits(path: Path, dev: Path | None, test: Path | None, options: PairOptions, seed: int) -> PairData:
    """Read a file and those of dev and test, or split the first one where they are not given. Raises DataError."""
    pairs, direction, notes = read_own_pairs(path, options)
    held_out: dict[str, list[Pair]] = {}
    for name, file in (("dev", dev), ("test", test)):
        if file is not None:
            held_out[name], _, more = read_own_pairs(file, PairOptions(languages=direction, encoding=options.encoding))
            notes += more
    keys = {key_of(text) for part in held_out.values() for pair in part for text in (pair.source, pair.target)}
    kept = list(without(pairs, keys))
    if len(kept) < len(pairs):
        shared = count_text(len(pairs) - len(kept), "pair")
        notes.append(f"{path.name}: {shared} also in the dev or test file, left out of what is learned.")
    if len(kept) < FEWEST_PAIRS:
        raise DataError(f"{path} has {count_text(len(kept), 'pair')} to learn from; {FEWEST_PAIRS} are the fewest.")
    missing = [name for name in ("dev", "test") if name not in held_out]
    if missing:
        kept, *parts = split(kept, [key_of(pair.source) for pair in kept], [""] * len(kept), len(missing), seed)
        parts = [part[:MOST_HELD_OUT_PAIRS] for part in parts]
        held_out |= dict(zip(missing, parts, strict=True))
        sizes = " and ".join(f"{len(part):,} for {name}" for name, part in zip(missing, parts, strict=True))
        notes.append(f"{sizes} of the pairs were set aside with seed {seed}; copies stay together.")
    return PairData(train=kept, dev=held_out["dev"], test=held_out["test"], direction=direction, notes=notes)


def read_own_pairs(path: Path, options: PairOptions) -> tuple[list[Pair], str, list[str]]:
    """The pairs of the first two columns, their direction, and notes. Raises DataError."""
    table = read_table(path, encoding=options.encoding, skip_malformed=options.skip_malformed)
    header = [cell.strip().casefold() for cell in (table.columns or table.rows[0].cells)][:2]
    is_header = len(header) == 2 and all(map(CODE.fullmatch, header)) and header[0] != header[1]
    direction = options.languages or ("-".join(header) if is_header else "")
    source, _, target = direction.partition("-")
    if not (CODE.fullmatch(source) and CODE.fullmatch(target)) or source == target:
        raise DataError(
            f"{path}: which languages are these? A first line such as 'en<TAB>es' says it, or --languages en-es."
        )
    rows = table.rows[1:] if is_header and not table.columns else table.rows
    return _pairs_of(path, table, rows, direction)


def _pairs_of(path: Path, table: Table, rows: Sequence[TableRow], direction: str) -> tuple[list[Pair], str, list[str]]:
    target_language = direction.partition("-")[2]
    pairs, empty, same = [], [], []
    for row in rows:
        source, target = (" ".join(cell.split()) for cell in row.cells[:2])
        if not source or not target:
            empty.append(row.line)
        elif key_of(source) == key_of(target) and len(source.split()) > 3:
            same.append(row.line)
        else:
            pairs.append(Pair(source=source, references=(target,), target_language=target_language))
    notes = [f"{path.name}: {direction}, the first column is the source, the second the target.", *table.notes]
    if empty:
        notes.append(f"{path.name}, {lines_text(empty)}: a side is empty, left out.")
    if same:
        notes.append(f"{path.name}, {lines_text(same)}: both sides are the same sentence, left out.")
    if not pairs:
        raise DataError(f"{path} has no line with a text on both sides.")
    return pairs, direction, notes

"""Labelled texts of one's own: rows of a table, checked, and split into train, dev and test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from service.text.tokenizer import words_of
from training.corpora.text_key import key_of
from training.own_data.columns import MOST_LABELS, find_columns
from training.own_data.errors import DataError, count_text, lines_text
from training.own_data.table import read_table

FEWEST_EXAMPLES = 5  # of a label: three to learn from, one each to choose and to measure by
HELD_OUT_SHARE = 0.15  # of the examples, for dev and test each
MOST_HELD_OUT = 3000  # of dev and test each

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A text, its label and the line that it stands on."""

    line: int
    text: str
    label: str

    @property
    def key(self) -> str:
        """The key by which texts count as the same; a text without letters is its own key."""
        return key_of(self.text) or self.text.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """The options of reading a table."""

    text_column: str | None = None
    label_column: str | None = None
    encoding: str | None = None
    skip_malformed: bool = False
    drop_rare_labels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledData:
    """Texts to learn from, to choose by and to measure by. ``notes`` are sentences for the person who trains."""

    train: Sequence[Labelled]
    dev: Sequence[Labelled]
    test: Sequence[Labelled]
    labels: tuple[str, ...]
    notes: list[str] = field(default_factory=list)


def read_labelled(path: Path, options: TableOptions) -> tuple[list[Labelled], list[str]]:
    """The texts of a table that have a word and a label, and notes about columns and what was left out. Raises
    DataError."""
    table = read_table(path, encoding=options.encoding, skip_malformed=options.skip_malformed)
    columns = find_columns(table, text=options.text_column, label=options.label_column)
    every = [
        Labelled(line=row.line, text=row.cells[columns.first].strip(), label=row.cells[columns.second].strip())
        for row in columns.rows
    ]
    text, label = columns.names
    guess = f"{path.name}: the text is column {text!r}, the label is column {label!r}"
    notes = [f"{guess} (--text-column and --label-column choose others).", *table.notes]
    empty = [each.line for each in every if not words_of(each.text)]
    unlabelled = [each.line for each in every if words_of(each.text) and not each.label]
    if empty:
        notes.append(f"{path.name}, {lines_text(empty)}: {count_text(len(empty), 'empty text')} left out.")
    if unlabelled:
        notes.append(f"{path.name}, {lines_text(unlabelled)}: no label, left out.")
    kept = [each for each in every if words_of(each.text) and each.label]
    if not kept:
        raise DataError(f"{path}: no row has both a text (column {text!r}) and a label (column {label!r}).")
    return kept, notes


def read_splits(path: Path, dev: Path | None, test: Path | None, options: TableOptions, seed: int) -> LabelledData:
    """Read a file and those of dev and test, or split the first one where they are not given. Raises DataError."""
    texts, notes = read_labelled(path, options)
    texts, more = _checked_labels(path, texts, drop_rare=options.drop_rare_labels)
    notes += more + _contradictions(path, texts)
    held_out: dict[str, list[Labelled]] = {}
    for name, file in (("dev", dev), ("test", test)):
        if file is not None:
            held_out[name], more = read_labelled(file, options)
            notes += more + _unknown_labels(file, held_out[name], texts)
    texts, more = _without(path, texts, [each for part in held_out.values() for each in part])
    notes += more
    missing = [name for name in ("dev", "test") if name not in held_out]
    if missing:
        count = len(texts)
        texts, *parts = split(texts, [each.key for each in texts], [each.label for each in texts], len(missing), seed)
        held_out |= dict(zip(missing, parts, strict=True))
        sizes = " and ".join(f"{len(part):,} for {name}" for name, part in zip(missing, parts, strict=True))
        notes.append(f"Of {count:,} texts {sizes} were set aside, by label, with seed {seed}; copies stay together.")
    labels = tuple(sorted({each.label for each in texts}))
    lost = {each.label for part in held_out.values() for each in part} - set(labels)
    if len(labels) < 2 or lost or not all(held_out.values()):
        which = ", ".join(sorted(lost)) or "each label"
        raise DataError(f"{path}: too few different texts of {which} to set some aside.")
    return LabelledData(train=texts, dev=held_out["dev"], test=held_out["test"], labels=labels, notes=notes)


def split(
    items: Sequence[Item], keys: Sequence[Hashable], strata: Sequence[str], num_parts: int, seed: int
) -> list[list[Item]]:
    """The items to learn from, then one or two parts set aside, each with a like share of every stratum.

    Items of one key stay on one side. The same seed gives the same split, whatever the order of the file.
    """
    share = min(HELD_OUT_SHARE, MOST_HELD_OUT / max(1, len(items)))
    groups: defaultdict[str, defaultdict[Hashable, list[Item]]] = defaultdict(lambda: defaultdict(list))
    stratum_of: dict[Hashable, str] = {}
    for item, key, stratum in zip(items, keys, strata, strict=True):
        groups[stratum_of.setdefault(key, stratum)][key].append(item)
    parts: list[list[Item]] = [[] for _ in range(1 + num_parts)]
    rng = np.random.default_rng(seed)
    for stratum in sorted(groups):
        members = [groups[stratum][key] for key in sorted(groups[stratum], key=str)]
        order = rng.permutation(len(members))
        aside = max(1, round(share * len(members))) if len(members) > num_parts else 0
        for place, number in enumerate(order):
            part = 1 + place // aside if aside and place < aside * num_parts else 0
            parts[part] += members[number]
    return parts


def _checked_labels(path: Path, texts: list[Labelled], *, drop_rare: bool) -> tuple[list[Labelled], list[str]]:
    """The texts whose labels have enough examples. Raises DataError if that cannot be learned from."""
    counts = Counter(each.label for each in texts)
    if len(counts) > MOST_LABELS or (len(counts) > 20 and len(counts) > len(texts) / 2):
        raise DataError(
            f"{path}: {len(counts):,} different labels in {len(texts):,} rows, for example "
            f"{next(iter(counts))!r}. Is it the label's column? --label-column names another."
        )
    rare = [label for label, count in counts.items() if count < FEWEST_EXAMPLES]
    if len(counts) == 1:
        raise DataError(
            f"{path}: all {len(texts):,} texts have the label {next(iter(counts))!r}. A classifier needs two labels."
        )
    if rare and not drop_rare:
        told = "; ".join(
            f"{label!r} has {count_text(counts[label], 'example')} "
            f"({lines_text([each.line for each in texts if each.label == label])})"
            for label in rare[:3]
        )
        more = f"; {len(rare) - 3} other labels" if len(rare) > 3 else ""
        raise DataError(
            f"{path}: a label needs {FEWEST_EXAMPLES} examples at least, but {told}{more}. Add examples, merge labels, "
            "or leave these out with --drop-rare-labels."
        )
    if len(counts) - len(rare) < 2:
        raise DataError(f"{path}: fewer than two labels have {FEWEST_EXAMPLES} examples.")
    notes = [f"Left out as rare: {', '.join(map(repr, rare))}."] if rare else []
    return [each for each in texts if each.label not in rare], notes


def _contradictions(path: Path, texts: Sequence[Labelled]) -> list[str]:
    """A note about equal texts with different labels."""
    by_key: defaultdict[str, list[Labelled]] = defaultdict(list)
    for each in texts:
        by_key[each.key].append(each)
    found = [group for group in by_key.values() if len({each.label for each in group}) > 1]
    if not found:
        return []
    first = found[0]
    example = f"{lines_text([each.line for each in first])} ({', '.join(sorted({each.label for each in first}))})"
    return [f"{path.name}: {count_text(len(found), 'text')} with more than one label, for example {example}."]


def _unknown_labels(path: Path, texts: Sequence[Labelled], known: Sequence[Labelled]) -> list[str]:
    labels = {each.label for each in known}
    for each in texts:
        if each.label not in labels:
            raise DataError(f"{path}, line {each.line}: the label {each.label!r} is not among those to learn.")
    return []


def _without(path: Path, texts: list[Labelled], held_out: Sequence[Labelled]) -> tuple[list[Labelled], list[str]]:
    """The texts that are not among those held out, in any spelling."""
    keys = {each.key for each in held_out}
    shared = [each.line for each in texts if each.key in keys]
    if not shared:
        return texts, []
    note = (
        f"{path.name}, {lines_text(shared)}: {count_text(len(shared), 'text')} also in the dev or test file, left out "
        "of what is learned."
    )
    return [each for each in texts if each.key not in keys], [note]

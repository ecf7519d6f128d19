"""Labelled texts of one's own: rows of a table, checked, and split into train, dev and test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from service.text.tokenizer import words_of
from training.corpora.text_key import key_of
from training.own_data.columns import MOST_LABELS, find_columns
from training.own_data.errors import DataError, count_text, lines_text
from training.own_data.label_cells import NO_SEPARATOR, labels_of_cell, separator_of
from training.own_data.split import split
from training.own_data.table import read_table

FEWEST_EXAMPLES = 5  # of a label: three to learn from, one each to choose and to measure by


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A text, its labels and the line that it stands on."""

    line: int
    text: str
    labels: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key by which texts count as the same; a text without letters is its own key."""
        return key_of(self.text) or self.text.strip()

    @property
    def label(self) -> str:
        """All labels in words, for messages."""
        return ", ".join(self.labels) or "no label"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """The options of reading a table."""

    text_column: str | None = None
    label_column: str | None = None
    label_separator: str | None = None  # between the labels of a cell; None: found out; "none": a cell is one label
    encoding: str | None = None
    skip_malformed: bool = False
    drop_rare_labels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTable:
    """The labelled texts of one file, the separator of its labels, and sentences for the person who trains."""

    texts: list[Labelled]
    separator: str
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledData:
    """Texts to learn from, to choose by and to measure by. ``notes`` are sentences for the person who trains."""

    train: Sequence[Labelled]
    dev: Sequence[Labelled]
    test: Sequence[Labelled]
    labels: tuple[str, ...]
    multi_label: bool = False  # a text may have several labels, or none
    notes: list[str] = field(default_factory=list)


def read_labelled(path: Path, options: TableOptions) -> LabelledTable:
    """The texts of a table that have a word and labels, and notes about columns and what was left out. Raises
    DataError."""
    table = read_table(path, encoding=options.encoding, skip_malformed=options.skip_malformed)
    columns = find_columns(table, text=options.text_column, label=options.label_column)
    separator = separator_of(columns.rows, columns.second, options.label_separator)
    kept: list[Labelled] = []
    empty: list[int] = []
    unlabelled: list[int] = []
    for row in columns.rows:
        text, labels = row.cells[columns.first].strip(), labels_of_cell(path, row, columns.second, separator)
        if not words_of(text):
            empty.append(row.line)
        elif labels is None:
            unlabelled.append(row.line)
        else:
            kept.append(Labelled(line=row.line, text=text, labels=labels))
    text_name, label_name = columns.names
    guess = f"{path.name}: the text is column {text_name!r}, the label is column {label_name!r}"
    notes = [f"{guess} (--text-column and --label-column choose others).", *table.notes]
    if separator:
        notes.append(
            f"{path.name}: {separator!r} separates several labels of a text "
            f"(--label-separator {NO_SEPARATOR} reads a cell as one label)."
        )
    if empty:
        notes.append(f"{path.name}, {lines_text(empty)}: {count_text(len(empty), 'empty text')} left out.")
    if unlabelled:
        notes.append(f"{path.name}, {lines_text(unlabelled)}: no label, left out.")
    if not kept:
        raise DataError(f"{path}: no row has both a text (column {text_name!r}) and a label (column {label_name!r}).")
    return LabelledTable(texts=kept, separator=separator, notes=notes)


def read_splits(path: Path, dev: Path | None, test: Path | None, options: TableOptions, seed: int) -> LabelledData:
    """Read a file and those of dev and test, or split the first one where they are not given. Raises DataError."""
    table = read_labelled(path, options)
    multi_label = any(len(each.labels) != 1 for each in table.texts)
    alike = _alike_text(sorted({label for each in table.texts for label in each.labels}))
    notes = table.notes + ([f"{path.name}: {alike}"] if alike else [])
    texts, more = _checked_labels(path, table.texts, drop_rare=options.drop_rare_labels, multi_label=multi_label)
    notes += more + _contradictions(path, texts)
    if multi_label:
        notes.append(_multi_label_text(texts))
    same_cells = replace(options, label_separator=table.separator or NO_SEPARATOR)
    held_out: dict[str, list[Labelled]] = {}
    for name, file in (("dev", dev), ("test", test)):
        if file is not None:
            found = read_labelled(file, same_cells)
            held_out[name] = found.texts
            _check_held_out(file, found.texts, texts, multi_label=multi_label)
            notes += found.notes
    texts, more = _without(path, texts, [each for part in held_out.values() for each in part])
    notes += more
    missing = [name for name in ("dev", "test") if name not in held_out]
    if missing:
        count = len(texts)
        texts, *parts = split(texts, [each.key for each in texts], strata_of(texts), len(missing), seed)
        held_out |= dict(zip(missing, parts, strict=True))
        sizes = " and ".join(f"{len(part):,} for {name}" for name, part in zip(missing, parts, strict=True))
        notes.append(f"Of {count:,} texts {sizes} were set aside, by label, with seed {seed}; copies stay together.")
    labels = _labels_to_learn(path, texts, held_out)
    return LabelledData(
        train=texts, dev=held_out["dev"], test=held_out["test"], labels=labels, multi_label=multi_label, notes=notes
    )


def strata_of(texts: Sequence[Labelled]) -> list[str]:
    """The rarest label of each text, so that a split gives each part a share of rare labels; empty if it has none."""
    counts = Counter(label for each in texts for label in each.labels)
    return [min(each.labels, key=lambda label: (counts[label], label), default="") for each in texts]


def _labels_to_learn(path: Path, texts: Sequence[Labelled], held_out: dict[str, list[Labelled]]) -> tuple[str, ...]:
    """The labels of the texts to learn from. Raises DataError if they cannot be told apart or measured."""
    labels = tuple(sorted({label for each in texts for label in each.labels}))
    lost = {label for part in held_out.values() for each in part for label in each.labels} - set(labels)
    if len(labels) < 2 or lost or not all(held_out.values()):
        which = ", ".join(sorted(lost)) or "each label"
        raise DataError(f"{path}: too few different texts of {which} to set some aside.")
    everywhere = set(labels).intersection(*(each.labels for each in texts))
    if everywhere:
        raise DataError(f"{path}: every text has the label {min(everywhere)!r}, so it says nothing. Leave it out.")
    return labels


def _checked_labels(
    path: Path, texts: list[Labelled], *, drop_rare: bool, multi_label: bool
) -> tuple[list[Labelled], list[str]]:
    """The texts with labels that have enough examples. Raises DataError if that cannot be learned from."""
    counts = Counter(label for each in texts for label in each.labels)
    if len(counts) > MOST_LABELS or (len(counts) > 20 and len(counts) > len(texts) / 2):
        raise DataError(
            f"{path}: {len(counts):,} different labels in {len(texts):,} rows, for example "
            f"{next(iter(counts))!r}. Is it the label's column? --label-column names another."
        )
    rare = {label for label, count in counts.items() if count < FEWEST_EXAMPLES}
    if len(counts) == 1 and not multi_label:
        raise DataError(
            f"{path}: all {len(texts):,} texts have the label {next(iter(counts))!r}. A classifier needs two labels."
        )
    if rare and not drop_rare:
        raise DataError(f"{path}: {_rare_text(texts, counts, rare)}")
    if len(counts) - len(rare) < 2:
        raise DataError(f"{path}: fewer than two labels have {FEWEST_EXAMPLES} examples.")
    if not rare:
        return texts, []
    common = [replace(each, labels=tuple(label for label in each.labels if label not in rare)) for each in texts]
    kept = [new for old, new in zip(texts, common, strict=True) if new.labels or not old.labels]
    return kept, [f"Left out as rare: {', '.join(map(repr, sorted(rare)))}."]


def _rare_text(texts: Sequence[Labelled], counts: Counter[str], rare: set[str]) -> str:
    """A sentence about labels with too few examples, the first three with their lines."""
    told = "; ".join(
        f"{label!r} has {count_text(counts[label], 'example')} "
        f"({lines_text([each.line for each in texts if label in each.labels])})"
        for label in [label for label in counts if label in rare][:3]
    )
    more = f"; {len(rare) - 3} other labels" if len(rare) > 3 else ""
    return (
        f"a label needs {FEWEST_EXAMPLES} examples at least, but {told}{more}. Add examples, merge labels, or leave "
        f"these out with --drop-rare-labels. {_alike_text(sorted(counts))}".rstrip()
    )


def _alike_text(labels: Sequence[str]) -> str:
    """A sentence about labels that are the same word in other letters; empty if there are none."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        spellings[label.casefold()].append(label)
    alike = [" and ".join(map(repr, same)) for same in spellings.values() if len(same) > 1]
    more = f", and {len(alike) - 2} others," if len(alike) > 2 else ""
    return (
        f"{'; '.join(alike[:2])}{more} differ in capitals only: write them alike if they are one label."
        if alike
        else ""
    )


def _multi_label_text(texts: Sequence[Labelled]) -> str:
    several = sum(len(each.labels) > 1 for each in texts)
    none = sum(not each.labels for each in texts)
    return (
        f"Several labels a text: {count_text(several, 'text has', 'texts have')} more than one"
        f"{f', {none:,} none' if none else ''}. Each label is learned for itself, with a threshold of its own."
    )


def _contradictions(path: Path, texts: Sequence[Labelled]) -> list[str]:
    """A note about equal texts with different labels."""
    by_key: defaultdict[str, list[Labelled]] = defaultdict(list)
    for each in texts:
        by_key[each.key].append(each)
    found = [group for group in by_key.values() if len({frozenset(each.labels) for each in group}) > 1]
    if not found:
        return []
    first = found[0]
    labels = " / ".join(sorted({each.label for each in first}))
    example = f"{lines_text([each.line for each in first])} ({labels})"
    again = count_text(len(found), "text comes", "texts come")
    return [f"{path.name}: {again} again with another label, for example {example}."]


def _check_held_out(path: Path, texts: Sequence[Labelled], known: Sequence[Labelled], *, multi_label: bool) -> None:
    """Raise DataError if a dev or test text has a label that is not learned, or several where one is learned."""
    labels = {label for each in known for label in each.labels}
    for each in texts:
        if unknown := [label for label in each.labels if label not in labels]:
            raise DataError(f"{path}, line {each.line}: the label {unknown[0]!r} is not among those to learn.")
        if len(each.labels) != 1 and not multi_label:
            count = count_text(len(each.labels), "label")
            raise DataError(f"{path}, line {each.line}: {count}, but each text to learn from has one.")


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

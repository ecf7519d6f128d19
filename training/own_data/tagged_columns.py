"""Readers of tagged words a line: CoNLL-U, and columns with BIO tags."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpora.conllu import FORM, UPOS, XPOS
from training.corpora.examples import TaggedSentence
from training.own_data.errors import DataError, lines_text

CONLLU_CELLS = 10
SPAN_TAG = re.compile(r"O|[BIESLU]-\S+")
OTHER_PREFIXES = str.maketrans({"L": "E", "U": "S"})  # BILOU's


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedOptions:
    """The options of reading tagged sentences."""

    word_column: int | None = None  # from 1
    tag_column: int | None = None
    encoding: str | None = None
    drop_rare_labels: bool = False


def _blocks(lines: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """The runs of lines that are not blank, each line with its number."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []


def read_conllu_lines(path: Path, lines: Sequence[str]) -> list[TaggedSentence]:
    sentences = []
    for block in _blocks(lines):
        rows = []
        for number, line in block:
            cells = line.split("\t")
            if line.startswith("#") or not cells[0].isdigit():
                continue
            if len(cells) != CONLLU_CELLS:
                raise DataError(f"{path}, line {number}: {len(cells)} columns; CoNLL-U has {CONLLU_CELLS}, with tabs.")
            rows.append(cells)
        if rows:
            tags = {"upos": [row[UPOS] for row in rows], "xpos": [row[XPOS] for row in rows]}
            sentences.append(TaggedSentence(words=[row[FORM] for row in rows], tags=tags))
    return sentences


def read_column_lines(
    path: Path, lines: Sequence[str], options: TaggedOptions
) -> tuple[list[TaggedSentence], list[str]]:
    """Sentences of a columns file: the word is the first column that is no number, the tag the last of BIO tags."""
    separator = "\t" if sum("\t" in line for line in lines) > sum(bool(line.strip()) for line in lines) / 2 else None
    widths = Counter(len(line.split(separator)) for line in lines if line.strip() and not line.startswith("#"))
    usual = widths.most_common(1)[0][0] if widths else 0
    if usual < 2:
        raise DataError(f"{path}: one column only; a word and its tag are needed on a line, with a tab between them.")
    blocks, wrong = [], []
    for block in _blocks(lines):
        rows = []
        for number, line in block:
            cells = line.split(separator)
            if len(cells) == usual and not cells[0].startswith("-DOCSTART-"):
                rows.append(cells)
            elif len(cells) != usual and not line.startswith("#"):
                wrong.append(number)
        if rows:
            blocks.append(rows)
    if wrong:
        raise DataError(f"{path}, {lines_text(wrong)}: not {usual} columns as on the other lines.")
    columns = list(zip(*(row for rows in blocks for row in rows), strict=True))
    tag = _tag_column(path, columns, options)
    word = options.word_column - 1 if options.word_column else _word_column(columns, tag)
    note = (
        f"{path.name}: the word is column {word + 1}, its tag is column {tag + 1} (--word-column and --tag-column "
        "choose others)."
    )
    sentences = [
        TaggedSentence(
            words=[row[word].strip() for row in rows],
            tags={"ner": [row[tag].strip()[:1].translate(OTHER_PREFIXES) + row[tag].strip()[1:] for row in rows]},
        )
        for rows in blocks
    ]
    return sentences, [note]


def _tag_column(path: Path, columns: Sequence[Sequence[str]], options: TaggedOptions) -> int:
    if options.tag_column:
        if options.tag_column > len(columns):
            raise DataError(f"{path} has {len(columns)} columns and no column {options.tag_column} of tags.")
        candidates = [options.tag_column - 1]
    else:
        candidates = [i for i, column in enumerate(columns) if any(SPAN_TAG.fullmatch(c.strip()) for c in column)]
    for place in reversed(candidates):
        tags = {cell.strip() for cell in columns[place]}
        if tags != {"O"} and all(map(SPAN_TAG.fullmatch, tags)):
            return place
    raise DataError(
        f"{path}: no column of BIO tags (O, B-PER, I-PER, ...) with an entity in it. --tag-column names the column; "
        "parts of speech are read from .conllu."
    )


def _word_column(columns: Sequence[Sequence[str]], tag: int) -> int:
    places = [place for place in range(len(columns)) if place != tag]
    return next((i for i in places if not all(cell.strip().isdigit() for cell in columns[i])), places[0])

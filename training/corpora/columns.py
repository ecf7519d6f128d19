"""Columns files: a token a line, its tags beside it, a blank line between sentences (CoNLL-2003 and similar)."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from training.corpora.examples import TaggedSentence


def open_text(path: Path) -> TextIO:
    """Open a text file; ``.gz`` files are decompressed."""
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def blocks(path: Path) -> Iterator[list[str]]:
    """The runs of non-blank lines of a file, without their line ends."""
    block: list[str] = []
    with open_text(path) as lines:
        for line in lines:
            if line.strip():
                block.append(line.rstrip("\r\n"))
            elif block:
                yield block
                block = []
    if block:
        yield block


def read_columns(
    path: Path, columns: Mapping[str, int], *, separator: str = "\t", comment: str | None = None
) -> list[TaggedSentence]:
    """Sentences of a columns file. ``columns`` gives the column of ``word`` and of each layer of tags.

    Span tags may be IOB1, IOB2 or BIOES: they stay as written and ``service.text.spans.spans_of`` reads all three.
    Lines that begin with ``comment``, and lines whose word is white space, are skipped. Raises ValueError that names
    the file and the sentence.
    """
    sentences = []
    for block in blocks(path):
        rows = [line.split(separator) for line in block if not (comment and line.startswith(comment))]
        try:
            rows = [row for row in rows if row[columns["word"]].strip()]
            layers = {name: [row[i].strip() for row in rows] for name, i in columns.items()}
        except IndexError as error:
            raise ValueError(f"{path}: a line with too few columns in {block[:3]}") from error
        words = layers.pop("word")
        if words:
            sentences.append(TaggedSentence(words=words, tags=layers))
    return sentences

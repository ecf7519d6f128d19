"""The texts of a run, and those that are held out of it.

Of ``lm-english`` every hundredth block of forty paragraphs is dev and another test: neighbours stay together, so that
few texts of a document stand on both sides. Of a book the end is held out. The Penn Treebank has its own split. All
else is learned from whole. A training text that says the same as one that is held out is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpora.running_text import read_texts
from training.corpora.text_key import key_of
from training.language_model.config import UnitKind

BLOCK_TEXTS, NUM_BLOCKS = 40, 100
DEV_BLOCK, TEST_BLOCK = 33, 66  # of every NUM_BLOCKS
HELD_OUT_SHARE = 0.05  # of a book, for dev and test each


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The texts of one source."""

    train: list[str]
    dev: list[str]
    test: list[str]


def read_splits(sources: Sequence[str], data_dir: Path | None) -> dict[str, Split]:
    """By source; the training texts of one that is listed several times stand there as often. Raises CorpusError."""
    splits = {source: _split(source, data_dir) for source in dict.fromkeys(sources)}
    held_out = {key_of(text) for split in splits.values() for text in (*split.dev, *split.test)}
    return {
        source: Split(
            train=[text for text in split.train if key_of(text) not in held_out] * sources.count(source),
            dev=split.dev,
            test=split.test,
        )
        for source, split in splits.items()
    }


def _split(source: str, data_dir: Path | None) -> Split:
    texts = read_texts(source, data_dir)
    corpus = source.partition("/")[0]
    if corpus == "ptb":
        dev, test = (read_texts(f"ptb/{part}", data_dir) for part in ("valid", "test"))
        return Split(train=texts, dev=dev, test=test)
    if len(texts) == 1:
        return _split_book(texts[0])
    if corpus != "lm-english":
        return Split(train=texts, dev=[], test=[])
    parts: dict[int, list[str]] = {DEV_BLOCK: [], TEST_BLOCK: []}
    train: list[str] = []
    for place, text in enumerate(texts):
        parts.get(place // BLOCK_TEXTS % NUM_BLOCKS, train).append(text)
    return Split(train=train, dev=parts[DEV_BLOCK], test=parts[TEST_BLOCK])


def _split_book(text: str) -> Split:
    """The end of the book is test, what comes before it dev; cut between lines."""
    first = text.rfind("\n", 0, round(len(text) * (1 - 2 * HELD_OUT_SHARE))) + 1
    second = text.rfind("\n", 0, round(len(text) * (1 - HELD_OUT_SHARE))) + 1
    return Split(train=[text[:first]], dev=[text[first:second]], test=[text[second:]])


def texts_of(texts: Sequence[str], units: UnitKind) -> list[str]:
    """The texts as they are scored one by one: of tokens, whose lines are sentences, each line."""
    return [line for text in texts for line in text.split("\n")] if units == "tokens" else list(texts)

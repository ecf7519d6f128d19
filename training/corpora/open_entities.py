"""Readers of openly licensed entity corpora: Re-DocRED, CrossNER, contracts, news of conflicts, slots of assistants,
and silver text that a tagger labelled.

A tenth of Re-DocRED and of the contracts is a dev set and another a test set, in blocks of consecutive sentences, so
that neighbours of a document stay together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from training.corpora.columns import read_columns
from training.corpora.examples import TaggedSentence
from training.corpora.recutting import recut
from training.corpora.sources import locate

BLOCK = 37  # sentences that stay together
_PLACES = {"dev": 9, "test": 8}  # the tenth of each split
_ORDINAL_ENDINGS = frozenset(("st", "nd", "rd", "th"))
_QUOTES = re.compile(r"``|''")


def read_redocred(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    """Wikipedia introductions of Re-DocRED; ``split`` is train, dev or test, all of one file."""
    return in_split(_read("ner-open/redocred", data_dir), split)


def read_sec_filings(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    """Loan agreements; ``split`` is train, dev or test, all of one file."""
    return in_split(_read("ner-open/sec-filings", data_dir), split)


def read_crossner(split: str, data_dir: Path | None) -> list[TaggedSentence]:
    return _read(f"ner-open/crossner-{split}", data_dir)


def read_re3d(data_dir: Path | None) -> list[TaggedSentence]:
    return _read("ner-open/re3d", data_dir)


def read_slots(data_dir: Path | None) -> list[TaggedSentence]:
    """Utterances to assistants, in which only the requested slots are marked."""
    return [*_read("ner-open/slots", data_dir), *_read("ner-open/slots-sgd", data_dir)]


def read_silver(data_dir: Path | None) -> list[TaggedSentence]:
    """Open text annotated by a tagger with OntoNotes' labels, not by people."""
    return _read("ner-silver/train", data_dir)


def in_split(sentences: Sequence[TaggedSentence], split: str) -> list[TaggedSentence]:
    """The blocks of one split; train has those of no other."""
    place = _PLACES.get(split)
    tenths = [(i // BLOCK) % 10 for i in range(len(sentences))]
    if place is not None:
        return [s for s, tenth in zip(sentences, tenths, strict=True) if tenth == place]
    return [s for s, tenth in zip(sentences, tenths, strict=True) if tenth not in _PLACES.values()]


def _read(name: str, data_dir: Path | None) -> list[TaggedSentence]:
    sentences = read_columns(locate(name, data_dir=data_dir), {"word": 0, "ner": 1})
    return [recut(join_ordinals(sentence)) for sentence in sentences]


def join_ordinals(sentence: TaggedSentence) -> TaggedSentence:
    """A sentence with ``11 th`` as the one word ``11th``, as the service cuts it, and Penn's quotes as people type
    them."""
    words: list[str] = []
    tags: list[str] = []
    for word, tag in zip(sentence.words, sentence.tags["ner"], strict=True):
        if words and word in _ORDINAL_ENDINGS and words[-1].isdigit():
            words[-1] += word
        else:
            words.append(_QUOTES.sub('"', word))
            tags.append(tag)
    return TaggedSentence(words=words, tags={"ner": tags})

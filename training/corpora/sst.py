"""The Stanford Sentiment Treebank (Socher et al. 2013): sentences of film reviews, every phrase of them graded.

A line is a tree, ``(3 (2 It) (4 (2 's) (4 great)))``; its words are cut and written as the Penn Treebank does.
They are joined again here to what a person would have typed, for that is what a service is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpora.columns import open_text
from training.corpora.labelled import LabelledText, key_of
from training.corpora.sources import locate

GRADES = ("very negative", "negative", "neutral", "positive", "very positive")
NEUTRAL = 2

_PART = re.compile(r"\(|\)|[^\s()]+")
_WRITTEN = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "``": '"', "''": '"', "`": "'"}
_OPENERS = frozenset(("-LRB-", "-LSB-", "``", "`", "$", "#"))
_CLOSERS = re.compile(r"-R[RS]B-|''?|n't|'(?:s|re|ve|ll|d|m)|[.,;:!?%]|\.\.+|[?!]+", re.IGNORECASE)
# What the Treebank cuts in two without an apostrophe to show it.
_CUT_WORDS = frozenset(("can not", "gon na", "wan na", "got ta", "gim me", "lem me"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A stretch of a sentence, or all of it, and its grade: an index into ``GRADES``."""

    text: str
    grade: int
    is_sentence: bool


def read_phrases(split: str, data_dir: Path | None) -> list[Phrase]:
    """Every sentence of ``train``, ``dev`` or ``test`` and, once each, the phrases within them.

    Of train, phrases that are a whole sentence of dev or test are left out.
    """
    held_out = [p.text for part in ("dev", "test") for p in _read_sentences(part, data_dir)] if split == "train" else []
    return _each_once(_read_trees(split, data_dir), held_out)


def sentences_of(phrases: Iterable[Phrase]) -> list[Phrase]:
    """The whole sentences: what systems are scored on."""
    return [phrase for phrase in phrases if phrase.is_sentence]


def binary(phrases: Iterable[Phrase]) -> list[LabelledText]:
    """SST-2: negative (0) and positive (1), neutral ones left out."""
    return [LabelledText(text=p.text, label=int(p.grade > NEUTRAL)) for p in phrases if p.grade != NEUTRAL]


def fine(phrases: Iterable[Phrase]) -> list[LabelledText]:
    """SST-5: all grades."""
    return [LabelledText(text=phrase.text, label=phrase.grade) for phrase in phrases]


def phrases_of(tree: str) -> Iterator[Phrase]:
    """The phrases of a bracketed tree, the sentence first. Raises ValueError if its brackets do not match."""
    words: list[str] = []
    open_nodes: list[tuple[int, int]] = []  # grade, first word
    closed: list[tuple[int, int, int]] = []  # grade, first word, end
    parts = iter(_PART.findall(tree))
    for part in parts:
        if part == "(":
            open_nodes.append((int(next(parts)), len(words)))
        elif part != ")":
            words.append(part)
        elif open_nodes:
            closed.append((*open_nodes.pop(), len(words)))
        else:
            raise ValueError(f"not a tree: {tree[:60]!r}")
    if open_nodes or not closed or closed[-1][1:] != (0, len(words)):
        raise ValueError(f"not a tree: {tree[:60]!r}")
    for number, (grade, start, end) in enumerate(reversed(closed)):
        yield Phrase(text=join_treebank(words[start:end]), grade=grade, is_sentence=number == 0)


def join_treebank(words: Sequence[str]) -> str:
    """Words in Penn Treebank form as the text they came from, as far as that can be known."""
    text = ""
    glued = True  # to what stands before: nothing, or an opening bracket
    for i, word in enumerate(words):
        cut = i > 0 and f"{words[i - 1]} {word}".lower() in _CUT_WORDS
        space = "" if glued or cut or _CLOSERS.fullmatch(word) else " "
        text += space + _WRITTEN.get(word, word).replace("\\/", "/").replace("\\*", "*")
        glued = word in _OPENERS
    return text


def _read_trees(split: str, data_dir: Path | None) -> Iterator[Phrase]:
    with open_text(locate(f"sst/{split}", data_dir=data_dir)) as lines:
        for line in lines:
            if line.strip():
                yield from phrases_of(line)


def _read_sentences(split: str, data_dir: Path | None) -> list[Phrase]:
    return sentences_of(_read_trees(split, data_dir))


def _each_once(phrases: Iterable[Phrase], held_out: Iterable[str]) -> list[Phrase]:
    """Sentences as they are; of phrases the first of each text, and none that is held out or a sentence itself."""
    read = list(phrases)
    barred = set(map(key_of, held_out))
    seen = {phrase.text for phrase in sentences_of(read)}
    kept = []
    for phrase in read:
        is_new = phrase.text not in seen and key_of(phrase.text) not in barred
        if phrase.is_sentence or is_new:
            kept.append(phrase)
            seen.add(phrase.text)
    return kept

"""The Stanford Sentiment Treebank (Socher et al. 2013): sentences of film reviews with a grade of every phrase.

A line is a tree, ``(3 (2 It) (4 (2 's) (4 great)))``, with words as the Penn Treebank cuts and writes them. They are
joined again into the text that a person would have typed, which is what a service receives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpora.columns import open_text
from training.corpora.sources import locate

NEUTRAL = 2

_PART = re.compile(r"\(|\)|[^\s()]+")
_WRITTEN = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "``": '"', "''": '"', "`": "'"}
_OPENERS = frozenset(("-LRB-", "-LSB-", "``", "`", "$", "#"))
_CLOSERS = re.compile(r"-R[RS]B-|''?|n't|'(?:s|re|ve|ll|d|m)|[.,;:!?%]|\.\.+|[?!]+", re.IGNORECASE)
# Words that the Treebank cuts in two without an apostrophe.
_CUT_WORDS = frozenset(("can not", "gon na", "wan na", "got ta", "gim me", "lem me"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A stretch of a sentence, or all of it, and its grade from 0 (very negative) to 4 (very positive)."""

    text: str
    grade: int


def read_sentences(split: str, data_dir: Path | None) -> list[Phrase]:
    """The sentences of ``train``, ``dev`` or ``test`` in the order of the file."""
    with open_text(locate(f"sst/{split}", data_dir=data_dir)) as lines:
        return [next(phrases_of(line)) for line in lines if line.strip()]


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
    for grade, start, end in reversed(closed):
        yield Phrase(text=join_treebank(words[start:end]), grade=grade)


def join_treebank(words: Sequence[str]) -> str:
    """The text of words in Penn Treebank form, as far as it can be reconstructed."""
    text = ""
    glued = True  # to what stands before: nothing, or an opening bracket
    for i, word in enumerate(words):
        cut = i > 0 and f"{words[i - 1]} {word}".lower() in _CUT_WORDS
        space = "" if glued or cut or _CLOSERS.fullmatch(word) else " "
        text += space + _WRITTEN.get(word, word).replace("\\/", "/").replace("\\*", "*")
        glued = word in _OPENERS
    return text

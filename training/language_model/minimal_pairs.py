"""Minimal pairs: of two texts that differ in a word or two the right one must be likelier.

BLiMP (Warstadt et al. 2020), the constructions of Marvin and Linzen (2018), and sentences of Linzen et al. (2016) by
the number of nouns between subject and verb that have the other number. Nothing is trained on them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.text.pipeline import Ids
from training.corpora.columns import open_text
from training.corpora.sources import locate

FOLDER = "lm-minimal-pairs"
SETS = ("blimp", "lm-syneval", "linzen-natural", "gulordava-nonce")
# Tokens of the Penn Treebank's kind, put together as people write them.
JOINED = {" n't": "n't", " '": "'", "`` ": '"', " ,": ",", " .": ".", "-lrb- ": "(", " -rrb-": ")"}
Score = Callable[[Sequence[Ids]], Sequence[npt.NDArray[np.float64]]]  # of each text: of every unit, the end's last
Encode = Callable[[str], Ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A right text and wrong ones; ``names`` are those of its group, the coarser first."""

    names: tuple[str, ...]
    good: str
    bad: tuple[str, ...]
    is_whole: bool = True  # else the texts break off, and their end says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Share of pairs whose right text is likelier than every wrong one."""

    right: float
    number: int


def read_pairs(name: str, data_dir: Path | None) -> list[Pair]:
    """One of :data:`SETS`. Raises CorpusError."""
    with open_text(locate(f"{FOLDER}/{name}", data_dir=data_dir)) as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    if name == "blimp":
        return [Pair(names=(term, paradigm), good=good, bad=(bad,)) for paradigm, term, good, bad in rows]
    if name == "lm-syneval":
        return [
            Pair(names=tuple(group.split("/")), good=_sentence(good), bad=tuple(map(_sentence, bad)))
            for group, good, *bad in rows
        ]
    return [
        Pair(names=(group,), good=_text(f"{context} {good}"), bad=(_text(f"{context} {bad}"),), is_whole=False)
        for group, context, good, bad in rows
    ]


def every(pairs: Sequence[Pair], step: int) -> list[Pair]:
    """Every so many-th pair of each group."""
    groups: dict[tuple[str, ...], list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.names].append(pair)
    return [pair for group in groups.values() for pair in group[::step]]


def judge(pairs: Sequence[Pair], score: Score, encode: Encode) -> Mapping[str, Accuracy]:
    """By the coarser name of the groups; ``all`` is the mean over the finest groups."""
    texts = [encode(text) for pair in pairs for text in (pair.good, *pair.bad)]
    values = iter(score(texts))
    finest: dict[tuple[str, ...], list[bool]] = defaultdict(list)
    coarse: dict[str, list[bool]] = defaultdict(list)
    for pair in pairs:
        good, *bad = (_total(next(values), pair) for _ in (pair.good, *pair.bad))
        is_right = all(good > each for each in bad)
        finest[pair.names].append(is_right)
        coarse[pair.names[0]].append(is_right)
    mean = float(np.mean([np.mean(each) for each in finest.values()]))
    found = {name: Accuracy(right=float(np.mean(each)), number=len(each)) for name, each in sorted(coarse.items())}
    return {"all": Accuracy(right=mean, number=len(pairs)), **found}


def _total(values: npt.NDArray[np.float64], pair: Pair) -> float:
    return float((values if pair.is_whole else values[:-1]).sum())


def _sentence(text: str) -> str:
    """As people write it: a capital and a full stop."""
    return text[:1].upper() + text[1:] + "."


def _text(tokens: str) -> str:
    """Tokens of the Penn Treebank's kind put together as people write them."""
    for before, after in JOINED.items():
        tokens = tokens.replace(before, after)
    return tokens[:1].upper() + tokens[1:]

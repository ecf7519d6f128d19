"""How the training pairs are made ready, and seen a little otherwise in each epoch.

What cannot be translated is hidden behind a placeholder that the network learns to put in its place (Luong et al.
2015, "Addressing the rare word problem"; the service fills it in again by attention).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np

from service.text.copying import PLACEHOLDER, mask
from training.corpora.parallel import Pair
from training.translator_run import VariationConfig

_NAME = re.compile(r"\b[A-ZÀ-Þ][a-zß-ÿ]{2,}\b")
_FINAL = re.compile(r"\s*[.!?]$")


def mask_pair(pair: Pair, alphabet: Set[str]) -> Pair:
    """The pair with what both sides share hidden; as it was if they do not share all that could be."""
    source, target = mask(pair.source, alphabet), mask(pair.target, alphabet)
    if not source.originals or sorted(source.originals) != sorted(target.originals):
        return pair
    return replace(pair, source=source.text, references=(target.text,))


@dataclass(frozen=True, slots=True)
class RandomVariation:
    """A pair in this epoch's dress."""

    config: VariationConfig

    def __call__(self, pair: Pair, rng: np.random.Generator) -> Pair:
        config, chance = self.config, rng.random(4)
        if chance[0] < config.hidden_name:
            for _ in range(num_copies(rng)):
                pair = hide_name(pair, rng)
        if chance[1] < config.drop_final_punctuation:
            pair = both(pair, _FINAL.sub("", pair.source), _FINAL.sub("", pair.target))
        if chance[2] < config.added_placeholder:
            for _ in range(num_copies(rng)):
                pair = add_placeholder(pair, rng)
        if chance[3] < config.lowercase:
            pair = replace(pair, source=pair.source.lower())
        return pair


def num_copies(rng: np.random.Generator) -> int:
    """One, sometimes two or three: a network that saw one alone loses some of several in a sentence."""
    return int(rng.choice((1, 1, 2, 3)))


def hide_name(pair: Pair, rng: np.random.Generator) -> Pair:
    """One capitalised word that stands once on each side, behind a placeholder; the same pair if there is none."""
    words, others = Counter(_NAME.findall(pair.source)), Counter(_NAME.findall(pair.target))
    shared = sorted(word for word, count in words.items() if count == others[word] == 1)
    if not shared:
        return pair
    name = re.compile(rf"\b{re.escape(shared[rng.integers(len(shared))])}\b")
    return both(pair, name.sub(PLACEHOLDER, pair.source), name.sub(PLACEHOLDER, pair.target))


def add_placeholder(pair: Pair, rng: np.random.Generator) -> Pair:
    """Something to copy at the same end of both sides: an emoji, an address."""
    if rng.random() < 0.3:
        return both(pair, f"{PLACEHOLDER} {pair.source}", f"{PLACEHOLDER} {pair.target}")
    return both(pair, f"{pair.source} {PLACEHOLDER}", f"{pair.target} {PLACEHOLDER}")


def both(pair: Pair, source: str, target: str) -> Pair:
    """The pair with other words, unless one side has none left."""
    return replace(pair, source=source, references=(target,)) if source.strip() and target.strip() else pair

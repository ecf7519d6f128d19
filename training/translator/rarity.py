"""Rates at which training pairs are drawn: higher, the rarer their rarest word.

A network learns a word that one sentence in a hundred thousand has long after those that every sentence has; sentences
that hold nothing but the latter have little left to teach (as in the token-level weights of Gu et al. 2020).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

COMMON = 300  # pairs; a word that so many have needs no more practice
RAREST = 3  # pairs; a word that fewer have is as likely a slip as a word
NUM_SOURCES = 2  # that a word stands in; what only one has is the name of a thing of its own
WORD = re.compile(r"\b[^\W\d_]{3,}\b")


def draw_rates(texts: Sequence[tuple[str, str]], *, highest: float) -> npt.NDArray[np.float64]:
    """Return for each ``(source, text)`` a rate from 1 to ``highest``: the square root of how many times as
    often a common word occurs as the text's rarest one."""
    if highest <= 1:
        return np.ones(len(texts))
    # Names, which are copied, are left out.
    words = [frozenset(word for word in WORD.findall(text) if word.islower()) for _, text in texts]
    counts = Counter(word for each in words for word in each)
    sources: dict[str, set[str]] = {}
    for (source, _), each in zip(texts, words, strict=True):
        for word in each:
            sources.setdefault(word, set()).add(source)
    counted = {word: count for word, count in counts.items() if count >= RAREST and len(sources[word]) >= NUM_SOURCES}
    fewest = np.array([min((counted.get(word, COMMON) for word in each), default=COMMON) for each in words])
    return np.clip(np.sqrt(COMMON / fewest), 1, highest)

"""Batches of rows of like lengths, for every task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T", bound=Any)


def pack(lengths: Sequence[float], num_words: int, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Indices of rows in batches of about ``num_words`` padded cells. A batch has rows of like lengths; the order of
    batches is random."""
    jittered = np.asarray(lengths) * rng.uniform(0.95, 1.05, len(lengths)) + rng.uniform(0, 1, len(lengths))
    batches, batch, longest = [], [], 0.0
    for i in np.argsort(jittered):
        longest = max(longest, lengths[i])
        if batch and longest * (len(batch) + 1) > num_words:
            batches.append(np.array(batch))
            batch, longest = [], lengths[i]
        batch.append(i)
    if batch:
        batches.append(np.array(batch))
    rng.shuffle(batches)  # type: ignore[arg-type]
    return batches


def random_part(
    items: Sequence[T], num_words: int, rng: np.random.Generator, length: Callable[[T], int] = len
) -> list[T]:
    """Random sentences, or whatever ``length`` counts the words of, with about so many words in all."""
    chosen: list[T] = []
    total = 0
    for i in rng.permutation(len(items)):
        if total >= num_words:
            break
        chosen.append(items[i])
        total += length(items[i])
    return chosen

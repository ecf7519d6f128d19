"""Sampling of training pairs from many sources, so that large uniform sources do not outweigh small and varied ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Rates = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureConfig:
    """Weights and temperature of the sources.

    A source's share of target tokens is proportional to ``weight * tokens ** temperature``: with 1 every pair is
    equally likely, with 0 every source is. Sources that are not among ``weights`` have weight 1. Of a source's pairs,
    those with a rare word in their source are drawn up to ``rare_words`` times as often as those without.
    """

    temperature: float = 0.7
    rare_words: float = 1.0
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixturePart:
    """The examples of one source in one language."""

    source: str
    places: Indices  # (example,) where they stand in the list of all examples
    num_tokens: int  # target tokens of all of them
    rates: Rates | None = None  # (example,) how often each is drawn, in relation to the others; None: all alike


class Mixture:
    """A sampler of epochs of about ``epoch_tokens`` target tokens.

    ``known`` are sources that may have a weight though no example is theirs: some have no pairs in some languages.
    Raises ValueError on a weight of any other source that has none.
    """

    def __init__(
        self, parts: Sequence[MixturePart], config: MixtureConfig, *, epoch_tokens: int, known: Collection[str] = ()
    ) -> None:
        unknown = set(config.weights) - {part.source for part in parts}.union(known)
        if unknown:
            raise ValueError(f"weights of sources that are not there: {', '.join(sorted(unknown))}")
        self._parts = parts
        raw = [config.weights.get(part.source, 1.0) * part.num_tokens**config.temperature for part in parts]
        self._tokens = [epoch_tokens * each / sum(raw) for each in raw]

    def draw(self, rng: np.random.Generator) -> Indices:
        """The places of one epoch's examples. No pair of a source is repeated before all of them are drawn."""
        chosen = [self._draw_part(part, tokens, rng) for part, tokens in zip(self._parts, self._tokens, strict=True)]
        return np.concatenate(chosen)

    def passes(self) -> dict[str, float]:
        """The number of times that an epoch sees each source, by name; all languages together."""
        seen: dict[str, float] = {}
        held: dict[str, int] = {}
        for part, tokens in zip(self._parts, self._tokens, strict=True):
            seen[part.source] = seen.get(part.source, 0.0) + tokens
            held[part.source] = held.get(part.source, 0) + part.num_tokens
        return {source: seen[source] / held[source] for source in seen}

    def _draw_part(self, part: MixturePart, tokens: float, rng: np.random.Generator) -> Indices:
        wanted = len(part.places) * tokens / part.num_tokens
        count = int(wanted) + int(rng.random() < wanted % 1)
        whole, rest = divmod(count, len(part.places))
        chances = None if part.rates is None else part.rates / part.rates.sum()
        return np.concatenate([*[part.places] * whole, rng.choice(part.places, rest, replace=False, p=chances)])

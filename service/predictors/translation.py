"""What is wanted of a sentence, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from service.scheduling.search import Floats, Search

EXAMPLE_BEAM_SIZE = 4


class Pair(NamedTuple):
    """From which language to which."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of a sentence."""

    pair: Pair
    beam_size: int = EXAMPLE_BEAM_SIZE
    num_hypotheses: int = 1  # at most beam_size
    length_penalty: float = 1.0
    max_length: int | None = None  # pieces of a translation, its end included
    attention: bool = False
    truncate: bool = False  # cut what is too long instead of refusing it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A sentence on its way to the network; one without a word to translate has no way to go."""

    text: str
    search: Search | None
    originals: Sequence[str] = ()  # what the placeholders stand for
    wish: Wish
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attention:
    """How much each piece of the translation looked at each of the source."""

    source_tokens: Sequence[str]
    target_tokens: Sequence[str]
    weights: Floats  # (target, source)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Translation:
    """One way to say a sentence."""

    text: str
    score: float  # log-probability / length ** length_penalty; 0 where nothing was searched
    attention: Attention | None = None

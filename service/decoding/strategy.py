"""Protocols of decoding: what the decoder queues, and how a worker decodes it, by beam search or by sampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from service.decoding.sampling import NewTokens
from service.text.batch import Ids

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class DecodeSearch(Protocol):
    """A sentence to translate or a prompt to continue, with its parameters."""

    @property
    def ids(self) -> Ids:
        """Tokens (time,) that are read first; at least one."""
        ...

    @property
    def num_rows(self) -> int:
        """Most rows of one step."""
        ...

    @property
    def num_steps(self) -> int:
        """Estimated number of steps."""
        ...

    @property
    def row_steps(self) -> int:
        """Estimated cost in rows of steps."""
        ...


class Finished(Protocol[T_co]):
    """An item and its answer."""

    @property
    def item(self) -> T_co: ...

    @property
    def answer(self) -> Any: ...

    @property
    def num_steps(self) -> int:
        """Number of steps in which it took part."""
        ...

    @property
    def num_tokens(self) -> int:
        """Number of tokens of the answer."""
        ...


class StrategyStep(Protocol[T_co]):
    """Result of one run of a step graph."""

    @property
    def num_rows(self) -> int: ...

    @property
    def model_seconds(self) -> float: ...

    @property
    def finished(self) -> Sequence[Finished[T_co]]: ...

    @property
    def progress(self) -> Sequence[tuple[T_co, NewTokens]]: ...


class DecodeStrategy(Protocol[T]):
    """Decodes items together on one thread, step by step; they join and leave between any two steps.

    If ``admit`` or ``step`` raises, ``clear`` returns the items that were harmed and makes it usable again.
    """

    def __len__(self) -> int:
        """Return the number of items."""
        ...

    @property
    def live_rows(self) -> int:
        """Return the number of rows that have not ended."""
        ...

    @property
    def room(self) -> int:
        """Return how many more rows there may be now; below 1 if none."""
        ...

    def admit(self, items: Sequence[T]) -> float:
        """Add items, which join from the next step on. Returns the seconds that the model took for it."""
        ...

    def step(self) -> Iterator[StrategyStep[T]]:
        """Make one step of all items, each run when its result is asked for."""
        ...

    def drop(self, is_gone: Callable[[T], bool]) -> list[T]:
        """Drop the items that are gone, and return them."""
        ...

    def clear(self) -> list[T]:
        """Drop all items and return them."""
        ...

"""Decoding strategies: how a worker decodes its sentences or prompts, by beam search or by sampling, and the rows of
their steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from service.decoding.search import NewTokens, Prompt, Search

DecodeSearch = Search | Prompt  # a sentence to translate, or a prompt to continue

MAX_ROWS = 128  # decoded together on the calling thread


class Rows:
    """Base class of frozen dataclasses with slots, each field of which is an array (row, ...) or has rows itself."""

    __slots__: tuple[str, ...] = ()

    def only(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Return the chosen rows (row,)."""
        chosen: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        for name, value in chosen.items():
            chosen[name] = value.only(rows) if isinstance(value, Rows) else value[rows]
        return type(self)(**chosen)

    def joined(self, newer: Self) -> Self:
        """Return these rows, and the newer ones behind them."""
        both: dict[str, Any] = {}
        for name in self.__slots__:
            one, other = getattr(self, name), getattr(newer, name)
            both[name] = one.joined(other) if isinstance(one, Rows) else np.concatenate((one, other))
        return type(self)(**both)


class Item(Protocol):
    """Holder of a search, which comes back with its answer."""

    @property
    def search(self) -> Any:
        """Search of the kind that the strategy decodes."""
        ...


T = TypeVar("T", bound=Item)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finished(Generic[T]):
    """An item and its answer: the hypotheses of a sentence, or the samples of a prompt."""

    item: T
    answer: Any
    num_steps: int  # in which it took part
    num_tokens: int  # of the best hypothesis, or of all samples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepResult(Generic[T]):
    """Result of one run of a step graph, or of a run that read a piece of some prompts."""

    num_rows: int
    model_seconds: float
    finished: Sequence[Finished[T]] = ()
    progress: Sequence[tuple[T, NewTokens]] = ()  # of prompts; a sentence is told when it is finished


class DecodeStrategy(ABC, Generic[T]):
    """Decodes items together on one thread, step by step; they join and leave between any two steps.

    It knows neither threads nor deadlines: the caller of ``step`` admits and drops items in between. If ``admit`` or
    ``step`` raises, ``clear`` returns the items that were harmed and makes the strategy usable again.
    """

    def __init__(self, *, max_rows: int) -> None:
        self._max_rows = max_rows
        # Every item that was admitted and is neither finished nor dropped, with what the strategy keeps of it.
        self._items: dict[T, Any] = {}

    def __len__(self) -> int:
        return len(self._items)

    @property
    def items(self) -> Collection[T]:
        """Items that are being decoded."""
        return self._items.keys()

    @property
    @abstractmethod
    def live_rows(self) -> int:
        """Number of rows that have not ended."""

    @property
    def room(self) -> int:
        """Number of rows that may be added now; below 1 if none."""
        return self._max_rows - self.live_rows

    @abstractmethod
    def admit(self, items: Sequence[T]) -> float:
        """Add items, which join from the next step on, even without room. Returns the seconds that the model took."""

    @abstractmethod
    def step(self) -> Iterator[StepResult[T]]:
        """Make one step of all items, each run when its result is asked for."""

    def drop(self, is_gone: Callable[[T], bool]) -> list[T]:
        """Drop the items that are gone, and return them."""
        gone = set(filter(is_gone, self._items))
        if gone:
            self._drop(gone)
            for item in gone:
                del self._items[item]
        return list(gone)

    def clear(self) -> list[T]:
        """Drop all items and return them."""
        harmed = list(self._items)
        self._items = {}
        self._clear()
        return harmed

    @abstractmethod
    def _drop(self, gone: Set[T]) -> None:
        """Forget these items."""

    @abstractmethod
    def _clear(self) -> None:
        """Forget all items, whatever state they are in."""


@dataclass(frozen=True, slots=True, eq=False)
class NumberedSearch:
    """A search and its place among the answers."""

    search: Any
    place: int


def decode_all(strategy: DecodeStrategy[NumberedSearch], searches: Sequence[DecodeSearch]) -> list[Any]:
    """Decode all searches on the calling thread, without a queue, and return their answers, in order; as many are
    decoded together as there is room for."""
    waiting = deque(map(NumberedSearch, searches, range(len(searches))))
    answers: list[Any] = [()] * len(searches)
    while waiting or len(strategy):
        room, joining = strategy.room, list[NumberedSearch]()
        while waiting and (room >= waiting[0].search.num_rows or not (len(strategy) or joining)):
            joining.append(waiting.popleft())
            room -= joining[-1].search.num_rows
        strategy.admit(joining)
        for step in strategy.step():
            for finished in step.finished:
                answers[finished.item.place] = finished.answer
    return answers

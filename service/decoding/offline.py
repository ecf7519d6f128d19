"""Decoding on the calling thread, without queue or clock: for self-tests, training and benchmarks."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from service.decoding.strategy import DecodeSearch, DecodeStrategy

S = TypeVar("S", bound=DecodeSearch)

MAX_ROWS = 128  # decoded together


@dataclass(frozen=True, slots=True, eq=False)
class NumberedSearch(Generic[S]):
    """A sentence or prompt and its place among the answers."""

    search: S
    place: int


def decode_all(strategy: DecodeStrategy[NumberedSearch[S]], searches: Sequence[S]) -> list[Any]:
    """Decode all searches and return their answers, in order; as many are decoded together as there is room for."""
    waiting = deque(map(NumberedSearch, searches, range(len(searches))))
    answers: list[Any] = [()] * len(searches)
    while waiting or len(strategy):
        room, joining = strategy.room, list[NumberedSearch[S]]()
        while waiting and (room >= waiting[0].search.num_rows or not (len(strategy) or joining)):
            joining.append(waiting.popleft())
            room -= joining[-1].search.num_rows
        strategy.admit(joining)
        for step in strategy.step():
            for finished in step.finished:
                answers[finished.item.place] = finished.answer
    return answers

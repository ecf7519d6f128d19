"""State of sentences that are searched: encoder outputs side by side, so that a step copies none of them, and the ended
hypotheses of each sentence with the score that another one has to beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from service.decoding.search import Floats, Hypothesis, Memories
from service.decoding.strategy import Finished, T
from service.text.pipeline import Ids

Number = TypeVar("Number", bound=np.generic)

FIRST_SLOTS = 4  # as many are made room for at once; afterwards twice as many each time


class EncoderMemory:
    """Encoder outputs of sources of up to ``time`` tokens, in slots without holes. Not thread-safe."""

    def __init__(self, time: int) -> None:
        self.time = time
        self.num_slots = 0
        self._lengths: Ids = np.zeros(0, np.int32)  # (slot,)
        self._memories: dict[str, npt.NDArray[Any]] = {}  # (slot, time, size) or (slot, size) each

    @property
    def lengths(self) -> Ids:
        """Lengths (source,), a view."""
        return self._lengths[: self.num_slots]

    @property
    def memories(self) -> Memories:
        """Memories, (source, time, size) or (source, size) each, views."""
        return {name: memory[: self.num_slots] for name, memory in self._memories.items()}

    def append(self, lengths: Ids, memories: Memories) -> None:
        """Put sources (batch,) with memories (batch, time or less, size) or (batch, size) into the next slots."""
        first, self.num_slots = self.num_slots, self.num_slots + len(lengths)
        self._grow(memories)
        self._lengths[first : self.num_slots] = lengths
        for name, memory in memories.items():
            self._memories[name][first : self.num_slots, : memory.shape[1]] = memory  # a size is as it always is

    def remove(self, slot: int) -> None:
        """Free a slot; the last slot's source moves into it."""
        last = self.num_slots = self.num_slots - 1
        if slot != last:
            self._lengths[slot] = self._lengths[last]
            for memory in self._memories.values():
                memory[slot] = memory[last]
        elif last == 0 and len(self._lengths) > FIRST_SLOTS:
            self._lengths, self._memories = np.zeros(0, np.int32), {}  # a rush is over: its memory is given back

    def _grow(self, memories: Memories) -> None:
        capacity = max(FIRST_SLOTS, len(self._lengths))
        while capacity < self.num_slots:
            capacity *= 2
        if capacity == len(self._lengths):
            return
        self._lengths = _grown(self._lengths, capacity)
        for name, memory in memories.items():
            shape = (self.time, *memory.shape[2:]) if memory.ndim == 3 else memory.shape[1:]
            known = self._memories.get(name, np.zeros((0, *shape), memory.dtype))
            self._memories[name] = _grown(known, capacity)


def _grown(array: npt.NDArray[Number], capacity: int) -> npt.NDArray[Number]:
    """Copy an array into one with more room. The rest is 0 rather than undefined: it is read, with a weight of 0."""
    larger = np.zeros((capacity, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger


Attend = Callable[[list[int]], Floats]  # the attention (target, source) along a hypothesis' places


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinishedHypothesis:
    """A hypothesis that has ended."""

    ids: Sequence[int]  # without </s>
    places: list[int]  # where its attention is
    score: float
    is_complete: bool


@dataclass(slots=True, eq=False)
class SentenceSearch(Generic[T]):
    """The ended hypotheses of one sentence."""

    item: T
    surface: Callable[[Sequence[int]], str]  # the text that ids spell
    ended: list[FinishedHypothesis] = field(default_factory=list)  # the complete ones in the order in which they ended
    _surfaces: set[str] = field(default_factory=set)

    @property
    def num_open(self) -> int:
        """Number of places of the beam that have not ended."""
        return int(self.item.search.beam_size) - len(self.ended)

    @property
    def is_answered(self) -> bool:
        """Whether as many hypotheses are complete as are wanted: only better ones can still change the answer."""
        return len(self.ended) >= int(self.item.search.num_hypotheses)

    @property
    def bar(self) -> float:
        """Score that another hypothesis has to beat to be in the answer."""
        if not self.is_answered:
            return -inf
        return sorted([each.score for each in self.ended], reverse=True)[int(self.item.search.num_hypotheses) - 1]

    def end(self, ids: Sequence[int], places: list[int], total: float, *, is_complete: bool) -> bool:
        """End a hypothesis. Returns False, and changes nothing, if it spells what an earlier one does."""
        search = self.item.search
        if search.beam_size > 1:  # a single one is like no other
            spelt = self.surface(ids)
            if spelt in self._surfaces:
                return False
            self._surfaces.add(spelt)
        score = total / (len(ids) + is_complete) ** search.length_penalty
        self.ended.append(FinishedHypothesis(ids=ids, places=places, score=score, is_complete=is_complete))
        return True

    def answer(self, attend: Attend, *, num_steps: int) -> Finished[T]:
        """Return the finished sentence: complete hypotheses first, then the best. Raises ValueError without one."""
        search = self.item.search
        ranked = sorted(self.ended, key=lambda each: (not each.is_complete, -each.score))
        if not ranked:
            raise ValueError("no hypothesis has a score")
        hypotheses = [
            Hypothesis(
                ids=tuple(each.ids),
                score=each.score,
                attention=attend(each.places),
                is_complete=each.is_complete,
            )
            for each in ranked[: search.num_hypotheses]
        ]
        return Finished(item=self.item, answer=hypotheses, num_steps=num_steps, num_tokens=len(hypotheses[0].ids))

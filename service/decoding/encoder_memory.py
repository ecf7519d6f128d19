"""Encoder memory: encoder outputs of the sources being decoded, side by side, so that a step copies none of them."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from service.decoding.search import Memories
from service.text.batch import Ids

Number = TypeVar("Number", bound=np.generic)

FIRST_SLOTS = 4  # as many are made room for at once; afterwards twice as many each time


class EncoderMemory:
    """Encoder outputs of sources of up to ``time`` tokens, in slots without holes. Not thread-safe."""

    def __init__(self, time: int) -> None:
        self.time = time
        self.num_slots = 0
        self._lengths: Ids = np.zeros(0, np.int32)  # (slot,)
        self._memories: dict[str, npt.NDArray[Any]] = {}  # (slot, time, size) or (slot, size) each
        self._shown: Memories | None = None  # as long as nothing changes

    @property
    def lengths(self) -> Ids:
        """Lengths (source,), a view."""
        return self._lengths[: self.num_slots]

    @property
    def memories(self) -> Memories:
        """Read-only memories, (source, time, size) or (source, size) each. While nothing changes they are the very same
        arrays, which tells a session that it need not copy them again."""
        if self._shown is None:
            self._shown = {name: _shown(memory[: self.num_slots]) for name, memory in self._memories.items()}
        return self._shown

    def append(self, lengths: Ids, memories: Memories) -> None:
        """Put sources (batch,) with memories (batch, time or less, size) or (batch, size) into the next slots."""
        self._shown = None
        first, self.num_slots = self.num_slots, self.num_slots + len(lengths)
        self._grow(memories)
        self._lengths[first : self.num_slots] = lengths
        for name, memory in memories.items():
            self._memories[name][first : self.num_slots, : memory.shape[1]] = memory  # a size is as it always is

    def remove(self, slot: int) -> None:
        """Free a slot; the last slot's source moves into it."""
        self._shown = None
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


def _shown(view: npt.NDArray[Number]) -> npt.NDArray[Number]:
    view.flags.writeable = False
    return view


def _grown(array: npt.NDArray[Number], capacity: int) -> npt.NDArray[Number]:
    """Copy an array into one with room for more. The rest is 0 rather than undefined: it is read, with a weight of
    0."""
    larger = np.zeros((capacity, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger

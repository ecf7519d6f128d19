"""Iteration-level sampling: prompts of any length are read piece by piece, and all samples share one step after
another."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Generic

import numpy as np

from service.decoding.live_samples import LiveSample, LiveSamples
from service.decoding.search import (
    READ_COST,
    READ_TOGETHER,
    Floats,
    LanguageStepModel,
    Prompt,
    Sample,
    Samples,
)
from service.decoding.strategy import (
    MAX_ROWS,
    DecodeStrategy,
    Finished,
    NumberedSearch,
    StepResult,
    T,
    decode_all,
)
from service.text.pipeline import Ids, pad

MAX_READ_CELLS = 512  # of the prompts that are read between two steps


@dataclass(slots=True, kw_only=True, eq=False)
class _Reading(Generic[T]):
    """A prompt that is being read."""

    item: T
    state: Floats  # (state,)
    num_read: int = 0

    @property
    def num_left(self) -> int:
        """Number of tokens before the last, which the first step reads."""
        return len(self.item.search.ids) - 1 - self.num_read

    def next_ids(self) -> Ids:
        ids: Ids = self.item.search.ids
        return ids[self.num_read :][: min(READ_TOGETHER, self.num_left)]


class Sampler(DecodeStrategy[T]):
    """Continues prompts, several samples each."""

    def __init__(self, model: LanguageStepModel, *, max_rows: int) -> None:
        super().__init__(max_rows=max_rows)
        self._model = model
        self._reading: list[_Reading[T]] = []
        self._live = LiveSamples.none()

    @property
    def live_rows(self) -> int:
        """Number of samples that have not ended, those of prompts that are being read too."""
        return len(self._live) + sum(int(each.item.search.num_samples) for each in self._reading)

    def admit(self, items: Sequence[T]) -> float:
        """Add prompts, which are read from the next step on. Returns the seconds that the model took for it: none."""
        for item in items:
            self._items[item] = [None] * item.search.num_samples  # those that have ended
            self._reading.append(_Reading(item=item, state=item.search.before.vector))
        return 0.0

    def step(self) -> Iterator[StepResult[T]]:
        """Read a piece of the prompts that are not read, then make one step of all samples, each when asked for."""
        if any(each.num_left for each in self._reading):
            yield self._read()
        self._start()
        if len(self._live):
            yield self._sample()

    def _drop(self, gone: Set[T]) -> None:
        self._reading = [each for each in self._reading if each.item not in gone]
        self._keep(each.item not in gone for each in self._live.samples)

    def _clear(self) -> None:
        self._reading, self._live = [], LiveSamples.none()

    def _keep(self, is_kept: Iterable[bool]) -> None:
        """Keep these of the live samples."""
        self._live = self._live.only(np.fromiter(is_kept, np.bool_, len(self._live)))

    def _read(self) -> StepResult[T]:
        """Read a piece of the prompts that came first; how long it is depends on the prompt alone, not on others."""
        chosen, longest = list[_Reading[T]](), 0
        for each in (each for each in self._reading if each.num_left):
            longest = max(longest, len(each.next_ids()))
            if chosen and (len(chosen) + 1) * longest > MAX_READ_CELLS:
                break
            chosen.append(each)
        batch = pad([each.next_ids() for each in chosen])
        began_at = time.perf_counter()
        states = self._model.read(batch, np.stack([each.state for each in chosen]))
        seconds = time.perf_counter() - began_at
        for each, state, length in zip(chosen, states, batch.lengths.tolist(), strict=True):
            each.state, each.num_read = state, each.num_read + length
        num_tokens = int(batch.lengths.sum())
        return StepResult(num_rows=-(-num_tokens // READ_COST), model_seconds=seconds)

    def _start(self) -> None:
        """Let the samples of prompts that have been read join."""
        ready = [each for each in self._reading if not each.num_left]
        if ready:
            self._reading = [each for each in self._reading if each.num_left]
            new = [
                LiveSample.first(each.item, number, self._model.spelling)
                for each in ready
                for number in range(each.item.search.num_samples)
            ]
            states = np.repeat([each.state for each in ready], [each.item.search.num_samples for each in ready], axis=0)
            joining = LiveSamples.of(new, states)
            self._live = self._live.joined(joining) if len(self._live) else joining

    def _sample(self) -> StepResult[T]:
        live = self._live
        began_at = time.perf_counter()
        outputs = self._model.step(live.tokens, live.state, live.num_candidates)
        seconds = time.perf_counter() - began_at
        self._live = live = live.after(outputs, eos_id=self._model.eos_id, is_text=self._model.is_text)
        samples = [live.finished(row) for row in range(len(live))]
        new_tokens = [each.new_tokens(sample) for each, sample in zip(live.samples, samples, strict=True)]
        if any(samples):
            self._keep(sample is None for sample in samples)
        return StepResult(
            num_rows=len(live),
            model_seconds=seconds,
            finished=list(self._finished(live, samples)),
            progress=[(each.item, new) for each, new in zip(live.samples, new_tokens, strict=True) if new is not None],
        )

    def _finished(self, live: LiveSamples, samples: Sequence[Sample | None]) -> Iterator[Finished[T]]:
        """Put the samples that have ended to the others of their prompts; yield the answers that are complete."""
        for each, sample in zip(live.samples, samples, strict=True):
            if sample is not None:
                answer = self._items[each.item]
                answer[each.number] = sample
                if None not in answer:
                    del self._items[each.item]
                    num_steps = [one.num_steps for one in answer]
                    yield Finished(item=each.item, answer=answer, num_steps=max(num_steps), num_tokens=sum(num_steps))


def sample_all(model: LanguageStepModel, prompts: Sequence[Prompt], *, max_rows: int = MAX_ROWS) -> list[Samples]:
    """Sample on the calling thread and return the samples of each prompt, in order."""
    return decode_all(Sampler[NumberedSearch](model, max_rows=max_rows), prompts)

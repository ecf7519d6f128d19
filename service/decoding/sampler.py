"""Iteration-level sampling: prompts of any length are read piece by piece, and all samples share one step after
another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic

import numpy as np

from service.decoding.live_samples import LiveSample, LiveSamples, T
from service.decoding.offline import MAX_ROWS, NumberedSearch, decode_all
from service.decoding.sampling import (
    READ_COST,
    READ_TOGETHER,
    LanguageStepModel,
    NewTokens,
    Prompt,
    Sample,
    Samples,
)
from service.decoding.search import Floats
from service.text.batch import Batch, Ids, pad

MAX_READ_CELLS = 512  # of the prompts that are read between two steps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinishedPrompt(Generic[T]):
    """An item and its answer."""

    item: T
    answer: Samples

    @property
    def num_steps(self) -> int:
        return max(each.num_steps for each in self.answer)

    @property
    def num_tokens(self) -> int:
        return sum(each.num_steps for each in self.answer)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledStep(Generic[T]):
    """Result of one step of all samples, or of a run that read a piece of some prompts."""

    num_rows: int
    model_seconds: float
    finished: Sequence[FinishedPrompt[T]] = ()
    progress: Sequence[tuple[T, NewTokens]] = ()


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
        return self.item.search.ids[self.num_read :][: min(READ_TOGETHER, self.num_left)]


@dataclass(slots=True, kw_only=True, eq=False)
class _Answer:
    """The finished samples of a prompt."""

    samples: list[Sample | None] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return None not in self.samples


class Sampler(Generic[T]):
    """Continues prompts on one thread, several samples each.

    It is driven as a BeamSearch is: the caller of ``step`` admits and drops prompts in between. If ``step`` raises,
    ``clear`` returns the prompts that were harmed and makes the sampler usable again.
    """

    def __init__(
        self,
        model: LanguageStepModel,
        *,
        max_rows: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._model = model
        self._max_rows = max_rows
        self._clock = clock
        self._answers: dict[T, _Answer] = {}  # of every prompt that was admitted and is neither finished nor dropped
        self._reading: list[_Reading[T]] = []
        self._live: LiveSamples[T] = LiveSamples.none()

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self._answers)

    @property
    def live_rows(self) -> int:
        """Return the number of samples that have not ended, those of prompts that are being read too."""
        return len(self._live) + sum(each.item.search.num_samples for each in self._reading)

    @property
    def room(self) -> int:
        """Return how many more rows there may be now; below 1 if none."""
        return self._max_rows - self.live_rows

    def admit(self, items: Sequence[T]) -> float:
        """Add prompts, which are read from the next step on, even if there is no room. Returns the seconds that this
        took of the model's time: none."""
        for item in items:
            self._answers[item] = _Answer(samples=[None] * item.search.num_samples)
            self._reading.append(_Reading(item=item, state=item.search.before.vector))
        return 0.0

    def step(self) -> Iterator[SampledStep[T]]:
        """Read a piece of the prompts that are not read yet, then make one step of all samples, each when its result is
        asked for."""
        if any(each.num_left for each in self._reading):
            yield self._read()
        self._start()
        if len(self._live):
            yield self._sample()

    def drop(self, is_gone: Callable[[T], bool]) -> list[T]:
        """Drop the prompts whose items are gone, and return these items."""
        gone = set(filter(is_gone, self._answers))
        if gone:
            self._reading = [each for each in self._reading if each.item not in gone]
            self._live = self._live.only([each.item not in gone for each in self._live.samples])
            for item in gone:
                del self._answers[item]
        return list(gone)

    def clear(self) -> list[T]:
        """Drop all prompts and return their items."""
        harmed = list(self._answers)
        self._answers, self._reading, self._live = {}, [], LiveSamples.none()
        return harmed

    def _read(self) -> SampledStep[T]:
        """Read the next piece of the prompts that came first. How long a piece is depends on its prompt alone, so that
        others do not change its result."""
        chosen, longest = list[_Reading[T]](), 0
        for each in (each for each in self._reading if each.num_left):
            longest = max(longest, len(each.next_ids()))
            if chosen and (len(chosen) + 1) * longest > MAX_READ_CELLS:
                break
            chosen.append(each)
        batch = pad([each.next_ids() for each in chosen])
        began_at = self._clock()
        states = self._model.read(batch, np.stack([each.state for each in chosen]))
        seconds = self._clock() - began_at
        for each, state, length in zip(chosen, states, batch.lengths.tolist(), strict=True):
            each.state, each.num_read = state, each.num_read + length
        return SampledStep(num_rows=_rows_of(batch), model_seconds=seconds)

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
            self._live = self._live.joined(LiveSamples.of(new, states))

    def _sample(self) -> SampledStep[T]:
        live = self._live
        began_at = self._clock()
        outputs = self._model.step(live.tokens, live.state, live.num_candidates)
        seconds = self._clock() - began_at
        self._live = live = live.after(outputs, eos_id=self._model.eos_id, is_text=self._model.is_text)
        samples = [live.finished(row) for row in range(len(live))]
        new_tokens = [each.new_tokens(sample) for each, sample in zip(live.samples, samples, strict=True)]
        self._live = live.only([sample is None for sample in samples]) if any(samples) else live
        return SampledStep(
            num_rows=len(live),
            model_seconds=seconds,
            finished=list(self._finished(live, samples)),
            progress=[(each.item, new) for each, new in zip(live.samples, new_tokens, strict=True) if new is not None],
        )

    def _finished(self, live: LiveSamples[T], samples: Sequence[Sample | None]) -> Iterator[FinishedPrompt[T]]:
        """Put the samples that have ended to the others of their prompts; yield the answers that are complete."""
        for each, sample in zip(live.samples, samples, strict=True):
            if sample is not None:
                answer = self._answers[each.item]
                answer.samples[each.number] = sample
                if answer.is_complete:
                    del self._answers[each.item]
                    yield FinishedPrompt(item=each.item, answer=[one for one in answer.samples if one is not None])


def sample_all(model: LanguageStepModel, prompts: Sequence[Prompt], *, max_rows: int = MAX_ROWS) -> list[Samples]:
    """Sample on the calling thread and return the samples of each prompt, in order."""
    strategy: Sampler[NumberedSearch[Prompt]] = Sampler(model, max_rows=max_rows)
    return decode_all(strategy, prompts)


def _rows_of(batch: Batch) -> int:
    """Return the rows of a step that take about as long as to read this batch."""
    return -(-int(batch.lengths.sum()) // READ_COST)

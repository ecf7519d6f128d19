"""Samples taken on the calling thread, without queue or clock: for self-tests and evaluation."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from service.decoding.sampler import Sampler
from service.decoding.sampling import LanguageStepModel, Prompt, Samples

MAX_ROWS = 128


@dataclass(frozen=True, slots=True, eq=False)
class _Numbered:
    """A prompt and its place among the answers."""

    search: Prompt
    place: int


def sample_all(model: LanguageStepModel, prompts: Sequence[Prompt], *, max_rows: int = MAX_ROWS) -> list[Samples]:
    """Return the samples of each prompt, in order; as many are taken together as there is room for."""
    sampler: Sampler[_Numbered] = Sampler(model, max_rows=max_rows)
    waiting = deque(map(_Numbered, prompts, range(len(prompts))))
    answers: list[Samples] = [()] * len(prompts)
    while waiting or len(sampler):
        room, joining = sampler.room, list[_Numbered]()
        while waiting and (room >= waiting[0].search.num_samples or not (len(sampler) or joining)):
            joining.append(waiting.popleft())
            room -= joining[-1].search.num_samples
        sampler.admit(joining)
        for run in sampler.step():
            for finished in run.finished:
                answers[finished.item.place] = finished.answer
    return answers

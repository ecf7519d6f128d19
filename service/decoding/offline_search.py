"""Searches made on the calling thread, without queue or clock: for self-tests and evaluation."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from service.decoding.beam_search import BeamSearch
from service.decoding.search import Hypotheses, Search, StepModel

MAX_ROWS = 128


@dataclass(frozen=True, slots=True, eq=False)
class _Numbered:
    """A search and its place among the answers."""

    search: Search
    place: int


def search_all(model: StepModel, searches: Sequence[Search], *, max_rows: int = MAX_ROWS) -> list[Hypotheses]:
    """Return the hypotheses of each search, in order; as many are decoded together as there is room for."""
    beams: BeamSearch[_Numbered] = BeamSearch(model, max_rows=max_rows)
    waiting = deque(map(_Numbered, searches, range(len(searches))))
    answers: list[Hypotheses] = [()] * len(searches)
    while waiting or len(beams):
        room, joining = beams.room, list[_Numbered]()
        while waiting and (room >= waiting[0].search.beam_size or not (len(beams) or joining)):
            joining.append(waiting.popleft())
            room -= joining[-1].search.beam_size
        beams.admit(joining)
        for run in beams.step():
            for finished in run.finished:
                answers[finished.item.place] = finished.hypotheses
    return answers

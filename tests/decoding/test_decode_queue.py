"""Sentences wait by virtual time, and may be counted while they come and go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from service.decoding.search import Search
from service.decoding.worker import DecodeQueue, PendingSentence, pending_sentences
from service.scheduling.job import Job
from tests.decoding.invented_model import search
from tests.scheduling.test_row_source import job_of


def pending(searches: Sequence[Search]) -> list[PendingSentence]:
    job: Job[Any] = job_of([len(each.ids) for each in searches])
    return pending_sentences(job, searches)


def take_one(waiting: DecodeQueue) -> PendingSentence:
    return waiting.take(room=4, share=4, is_empty=True, now=0.0)[0][0]


@contextmanager
def between_lines(look: Callable[[], object]) -> Iterator[None]:
    """What another thread might do: before every line that runs within, anywhere."""

    def trace(frame: FrameType, event: str, arg: object) -> Callable[..., object]:
        if event == "line":
            look()
        return trace

    usual = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(usual)


def test_how_many_wait_may_be_asked_at_any_moment() -> None:
    waiting = DecodeQueue()
    counts = []
    with between_lines(lambda: counts.append((waiting.num_waiting, waiting.rows, waiting.cells))):
        for _ in range(3):
            waiting.push(pending([search(5, 6, beam_size=2), search(7)]))
            while waiting.num_waiting:
                take_one(waiting)
    assert {number for number, _, _ in counts} == {0, 1, 2}
    assert all(rows >= 0 and cells >= 0 for _, rows, cells in counts)
    assert (waiting.num_waiting, waiting.rows, waiting.cells) == (0, 0, 0)


def test_a_sentence_to_translate_passes_the_tail_of_a_long_text_and_does_not_starve_it() -> None:
    waiting = DecodeQueue()
    text = pending([search(5, 6, 7, 8, beam_size=4)] * 50)
    waiting.push(text)
    assert [take_one(waiting) for _ in range(3)] == text[:3]
    alone = pending([search(5, 6, 7, 8, beam_size=4)])
    waiting.push(alone)
    assert alone[0] in [take_one(waiting) for _ in range(2)]
    taken = []
    for _ in range(200):
        waiting.push(pending([search(5, 6, 7, 8, beam_size=4)]))
        taken.append(take_one(waiting))
    num_of_text = sum(each in text for each in taken)
    num_requests = waiting.num_waiting - (len(text) - 3 - num_of_text) + 1  # that wait, the text among them
    assert num_of_text >= 200 / num_requests
    assert [each for each in taken if each in text] == sorted(
        (each for each in taken if each in text), key=lambda each: each.index
    )

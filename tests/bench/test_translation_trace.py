"""A trace is the same at every rate but for its moments, and time counts from the moment a sentence was due."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

import numpy as np
import pytest

from bench.translation_trace import Due, ask_alone, play, saturate, trace
from service.decoding.search import Hypotheses, Hypothesis, Search
from service.errors import ModelFailedError
from service.scheduling.job import Done, Job

SEARCHES = [Search(ids=np.arange(length, dtype=np.int32), max_tokens=9) for length in range(1, 11)]


class FakeDecoder:
    """Answers one sentence after another, each in so many seconds, with as many tokens as its source has."""

    def __init__(self, seconds: float, *, error: Exception | None = None) -> None:
        self._seconds, self._error = seconds, error
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    def enqueue(self, searches: Sequence[Search], *, deadline: float) -> Job[Hypotheses]:
        done = asyncio.get_running_loop().create_future()
        job = Job[Hypotheses](done=done, submitted_at=time.monotonic(), deadline=deadline)
        self._tasks.append(asyncio.create_task(self._answer(searches, job)))
        return job

    async def _answer(self, searches: Sequence[Search], job: Job[Hypotheses]) -> None:
        async with self._turn:
            await asyncio.sleep(self._seconds)
        if not job.is_open:
            return
        if self._error:
            job.done.set_exception(self._error)
        else:
            job.done.set_result(Done(answers=[[answer(search)] for search in searches]))


def answer(search: Search) -> Hypothesis:
    return Hypothesis(
        ids=tuple(search.ids.tolist()),
        score=0.0,
        attention=np.zeros((len(search.ids), 0), np.float32),
        is_complete=True,
    )


def test_a_trace_differs_by_the_rate_in_its_moments_alone() -> None:
    slow, fast = (trace(SEARCHES, rate=rate, seconds=8 / rate * 10, seed=3) for rate in (10, 40))
    assert [due.search for due in slow] == [due.search for due in fast]
    assert [due.at for due in slow] == pytest.approx([4 * due.at for due in fast])
    assert [due.at for due in trace(SEARCHES, rate=10, seconds=8, seed=4)] != [due.at for due in slow]


def test_a_trace_has_its_rate_and_gaps_without_memory() -> None:
    dues = trace(SEARCHES, rate=200, seconds=50, seed=1)
    gaps = np.diff([due.at for due in dues])
    assert len(dues) == pytest.approx(10_000, rel=0.05)
    assert gaps.min() >= 0
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # as of an exponential one
    assert {len(due.search.ids) for due in dues} == set(range(1, 11))


def test_time_counts_from_the_moment_a_sentence_was_due() -> None:
    """Five due at once, 20 ms each: the last one took 100 ms; the first was due in the warm-up."""
    dues = [Due(at=at, search=SEARCHES[0]) for at in (0.0, *[0.05] * 5)]

    async def played() -> list[float]:
        return (await play(FakeDecoder(0.02), dues, warm_up_seconds=0.04)).latencies

    latencies = asyncio.run(played())
    assert len(latencies) == 5
    assert latencies == sorted(latencies)
    assert 90 <= latencies[-1] < 1000
    assert latencies[0] >= 19


def test_a_sentence_that_fails_spoils_the_turn() -> None:
    async def played() -> None:
        await play(
            FakeDecoder(0.0, error=ModelFailedError("broken")), [Due(at=0.0, search=SEARCHES[0])] * 3, warm_up_seconds=0
        )

    with pytest.raises(ModelFailedError):
        asyncio.run(played())


def test_saturation_counts_sentences_and_their_tokens_after_the_warm_up() -> None:
    async def saturated() -> None:
        found = await saturate(FakeDecoder(0.01), SEARCHES[3:4], num_waiting=4, warm_up_seconds=0.05, seconds=0.2)
        assert 1 <= found.num_sentences <= 21
        assert found.num_target_tokens == 4 * found.num_sentences
        assert found.seconds >= 0.2

    asyncio.run(saturated())


def test_a_failure_ends_the_saturation() -> None:
    async def saturated() -> None:
        broken = FakeDecoder(0.0, error=ModelFailedError("broken"))
        await saturate(broken, SEARCHES, num_waiting=3, warm_up_seconds=5, seconds=5)

    with pytest.raises(ModelFailedError):
        asyncio.run(saturated())


def test_alone_is_one_after_the_other() -> None:
    latencies = asyncio.run(_alone())
    assert len(latencies) == 3
    assert 9 <= statistics.median(latencies) < 500


async def _alone() -> list[float]:
    return await ask_alone(FakeDecoder(0.01), SEARCHES[0], times=3)

"""Requests come by their schedule."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest

from bench.client import text_request
from bench.open_loop import Arrival, merge, poisson

REQUESTS = [text_request("/tag", [f"text {number}"], num_words=2) for number in range(10)]


def arrivals_at(*moments: float, kind: str) -> list[Arrival]:
    return [Arrival(at=at, kind=kind, request=REQUESTS[0]) for at in moments]


def test_a_schedule_is_the_same_for_a_seed_and_another_for_another() -> None:
    first, again, other = (list(poisson(REQUESTS, kind="any", rate=100, seconds=1, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_schedule_has_its_rate_and_gaps_without_memory() -> None:
    rate, seconds = 200, 50
    schedule = list(poisson(REQUESTS, kind="any", rate=rate, seconds=seconds, seed=4))
    moments = [arrival.at for arrival in schedule]
    assert moments == sorted(moments)
    assert 0 < moments[0] < moments[-1] < seconds
    assert abs(len(schedule) - rate * seconds) < 4 * math.sqrt(rate * seconds)
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.05)  # as of an exponential one
    assert {arrival.request.content for arrival in schedule} == {request.content for request in REQUESTS}


def test_merged_schedules_keep_their_moments() -> None:
    one, other = arrivals_at(0.1, 0.4, kind="one"), arrivals_at(0.2, 0.3, 0.5, kind="other")
    both = merge(one, other)
    assert [arrival.at for arrival in both] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert [arrival for arrival in both if arrival.kind == "one"] == one

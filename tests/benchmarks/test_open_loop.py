"""Requests come by their schedule, and what is late is charged to whoever was due."""

from __future__ import annotations

import itertools
import math
import statistics

import pytest

from tests.benchmarks.client import Address, Request, encode_request, text_request
from tests.benchmarks.conftest import Serve
from tests.benchmarks.latency import Percentiles
from tests.benchmarks.open_loop import Arrival, merge, poisson, replay

REQUESTS = [text_request("/tag", [f"text {number}"], num_words=2) for number in range(10)]
REFUSED = Request(content=encode_request("POST", "/elsewhere"), num_words=7)


def arrivals_at(*moments: float, kind: str = "any", request: Request = REQUESTS[0]) -> list[Arrival]:
    return [Arrival(at=at, kind=kind, request=request) for at in moments]


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


def test_time_counts_from_the_moment_a_request_was_due(serve: Serve) -> None:
    """One connection, 20 ms an answer, five requests due at once: the last one took 100 ms."""
    done = replay(serve(0.02), arrivals_at(*[0.0] * 5), num_connections=1)
    latencies = done.latencies["any"]
    assert len(latencies) == 5
    assert all(latency >= 20 * place for place, latency in enumerate(latencies, start=1))
    assert done.num_held == 4
    assert len(done.lags) == 1


def test_requests_do_not_wait_for_others_answers(serve: Serve) -> None:
    done = replay(serve(0.05), arrivals_at(0.0, 0.01, 0.02, 0.03), num_connections=4)
    assert done.num_held == 0
    assert len(done.lags) == 4
    assert min(done.latencies["any"]) >= 50


def test_nothing_is_sent_before_it_is_due(address: Address) -> None:
    done = replay(address, arrivals_at(0.0, 0.1), num_connections=2)
    assert done.seconds >= 0.1
    assert min(done.lags) >= 0.0
    assert 0 < done.client_cpu_share <= 2


def test_kinds_are_counted_apart_and_the_warm_up_not_at_all(address: Address) -> None:
    schedule = merge(arrivals_at(0.0, 0.02, 0.04, kind="sentence"), arrivals_at(0.01, 0.03, kind="review"))
    done = replay(address, schedule, num_connections=4, warm_up_seconds=0.015)
    assert {kind: len(latencies) for kind, latencies in done.latencies.items()} == {"sentence": 2, "review": 1}


def test_refusals_are_no_latencies(address: Address) -> None:
    done = replay(address, arrivals_at(0.0, 0.01, request=REFUSED), num_connections=1)
    assert (done.num_refused, done.latencies) == (2, {})


def test_percentiles_of_nothing_are_an_error() -> None:
    assert Percentiles.of([2.0, 1.0, 3.0]) == Percentiles(count=3, p50=2.0, p95=3.0, p99=3.0)
    with pytest.raises(ValueError, match="nothing was measured"):
        Percentiles.of([])

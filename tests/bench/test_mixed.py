"""Mixed traffic is sentences alone with reviews among them, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bench.client import Address, text_request
from bench.latency import Percentiles
from bench.mixed import REVIEW, SENTENCE, Round, Traffic, Turn, measure_mixed, turn_of
from bench.open_loop import Arrival
from bench.storm import Reply, Storm
from tests.bench.conftest import Serve

TRAFFIC = Traffic(
    sentences=[text_request("/tag", [f"sentence {number}"], num_words=2) for number in range(10)],
    reviews=[text_request("/tag", ["word " * 400], num_words=400)],
)


@dataclass(frozen=True)
class FakeService:
    """Somebody else's process: only where it is, and that it costs nothing."""

    address: Address
    cpu_seconds: float = 0.0


def turn(p99: float) -> Turn:
    return Turn(
        sentences=Percentiles(count=100, p50=1.0, p95=2.0, p99=p99),
        reviews=None,
        num_refused=0,
        num_held=0,
        p99_lag=0.1,
        client_cpu_share=0.1,
        service_cpu_share=1.0,
    )


def reply(kind: str, milliseconds: float, *, at: float, status: int = 200) -> Reply:
    return Reply(Arrival(at=at, kind=kind, request=TRAFFIC.sentences[0]), status, milliseconds / 1000, 0.001)


def test_one_request_in_twenty_is_a_review() -> None:
    schedule = TRAFFIC.schedule(rate=500, seconds=20, seed=1)
    reviews = [arrival for arrival in schedule if arrival.kind == REVIEW]
    assert all(arrival.request in TRAFFIC.reviews for arrival in reviews)
    assert len(schedule) == pytest.approx(10_000, rel=0.05)
    assert len(reviews) == pytest.approx(500, rel=0.2)


def test_the_sentences_come_at_the_same_moments_with_and_without_reviews() -> None:
    mixed, alone = (make(rate=300, seconds=3, seed=5) for make in (TRAFFIC.schedule, TRAFFIC.alone))
    assert [arrival for arrival in mixed if arrival.kind == SENTENCE] == alone
    assert alone != TRAFFIC.alone(rate=300, seconds=3, seed=6)


def test_the_ratio_is_held_against_both_turns_alone() -> None:
    found = Round(alone=turn(4.0), mixed=turn(10.0), again=turn(6.0))
    assert found.ratio == 2.0
    assert found.chance == 1.5


def test_kinds_are_counted_apart_and_the_warm_up_and_refusals_not_at_all() -> None:
    replies = [
        reply(SENTENCE, 900, at=0.0),
        reply(SENTENCE, 10, at=0.02),
        reply(REVIEW, 70, at=0.03),
        reply(SENTENCE, 800, at=0.04, status=429),
        reply(SENTENCE, 20, at=0.05),
    ]
    done = Storm(replies=replies, seconds=0.1, client_cpu_seconds=0.01)
    found = turn_of(done, warm_up_seconds=0.01, service_cpu_share=1.5)
    assert (found.sentences.count, found.sentences.p50, found.sentences.p99) == pytest.approx((2, 20, 20))
    assert found.reviews is not None
    assert (found.reviews.count, found.reviews.p99) == pytest.approx((1, 70))
    assert (found.num_refused, found.num_held) == (1, 0)
    assert (found.p99_lag, found.client_cpu_share, found.service_cpu_share) == pytest.approx((1, 0.1, 1.5))


def test_percentiles_of_nothing_are_an_error() -> None:
    assert Percentiles.of([2.0, 1.0, 3.0]) == Percentiles(count=3, p50=2.0, p95=3.0, p99=3.0)
    with pytest.raises(ValueError, match="nothing was measured"):
        Percentiles.of([])


def test_the_rate_is_a_share_of_the_capacity_and_every_request_is_answered(serve: Serve) -> None:
    service = FakeService(serve(0.1))
    mixed = measure_mixed(service, TRAFFIC, load=0.5, rounds=1, seconds=0.6)
    assert 0 < mixed.capacity <= 640  # 64 connections, a tenth of a second an answer
    assert mixed.rate == mixed.capacity / 2
    (found,) = mixed.rounds
    assert found.mixed.sentences.count == found.alone.sentences.count == found.again.sentences.count > 0
    assert found.mixed.sentences.p50 >= 100
    assert found.alone.reviews is None
    assert [each.num_refused for each in (found.alone, found.mixed, found.again)] == [0, 0, 0]

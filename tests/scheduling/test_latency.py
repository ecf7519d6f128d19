"""Speeds are learned from runs, so is how far predictions are off, and the event loop's lag counts in all of them."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from service.errors import OverloadedError
from service.metrics import Metrics
from service.scheduling.batcher import Batcher
from service.scheduling.latency import (
    ARRIVAL_SECONDS,
    BEAT_SECONDS,
    LEAST_OFF,
    MOST_OFF,
    ArrivalRate,
    EventLoopLag,
    SafetyFactor,
    Throughput,
    TokensPerCharacter,
)
from service.scheduling.thread_pool import ThreadPool
from tests.fakes import FakeClock


def test_throughput_follows_what_runs_take() -> None:
    throughput = Throughput()
    assert throughput.seconds_for(1000) == throughput.best_seconds_for(1000) == 0
    for _ in range(200):
        throughput.learn(tokens=100, seconds=1)
    assert throughput.seconds_for(1000) == pytest.approx(10)
    for _ in range(200):
        throughput.learn(tokens=100, seconds=0.1)
    assert throughput.seconds_for(1000) == pytest.approx(1, rel=0.01)
    throughput.learn(tokens=100, seconds=50)
    assert throughput.best_seconds_for(1000) == pytest.approx(1, rel=0.01)
    assert throughput.seconds_for(1000) > 10


def test_a_margin_grows_until_nearly_all_predictions_hold_and_shrinks_again() -> None:
    safety_factor, chance = SafetyFactor(), random.Random(1)
    for _ in range(5000):
        safety_factor.learn(predicted=0.1, real=0.1 * chance.uniform(1, 2))
    assert 1.7 <= safety_factor.factor <= 2.1
    for _ in range(5000):
        safety_factor.learn(predicted=0.1, real=0.05)
    assert safety_factor.factor == LEAST_OFF
    for _ in range(5000):
        safety_factor.learn(predicted=0.001, real=5)
    assert safety_factor.factor == MOST_OFF


def test_a_margin_is_not_for_the_milliseconds_that_anything_takes() -> None:
    safety_factor = SafetyFactor()
    for _ in range(100):
        safety_factor.learn(predicted=0.001, real=0.005)
    assert safety_factor.factor < 1.5


def test_inflow_is_what_was_let_in_lately() -> None:
    arrival_rate = ArrivalRate()
    for step in range(1000):
        arrival_rate.record(0.005, offset=300, now=step / 100)
    assert arrival_rate.share_before(3000, now=10.0) == pytest.approx(0.5, rel=0.05)
    assert arrival_rate.share_before(300, now=10.0) == pytest.approx(0.25, rel=0.05)
    assert arrival_rate.share_before(0, now=10.0) < 0.01
    assert arrival_rate.share_before(3000, now=15.0) < 0.01


def test_a_density_is_learned_and_never_nothing() -> None:
    tokens_per_character = TokensPerCharacter()
    assert tokens_per_character.cost_of(5000) == 1
    for _ in range(10):
        tokens_per_character.learn(length=500, cost=100)
    assert tokens_per_character.cost_of(1000) == pytest.approx(200, abs=1)
    assert tokens_per_character.cost_of(0) == 1


def test_what_comes_meanwhile_counts_but_no_more_than_if_as_many_waited_all_the_time() -> None:
    def predicted(arrival_rate: float, *, if_steady: float) -> float:
        arrivals = ArrivalRate()
        arrivals.record(arrival_rate * ARRIVAL_SECONDS, offset=0, now=5.0)
        return arrivals.completion_seconds(ahead=1, own=1, if_steady=if_steady, offset=9, now=5.0)

    assert predicted(0, if_steady=9) == 2
    assert predicted(0.5, if_steady=9) == 4
    assert predicted(0.98, if_steady=9) == 9
    assert predicted(0.98, if_steady=1) == 2


FOREVER = 1e12


async def beat(lag: EventLoopLag, clock: FakeClock, *, late: float) -> None:
    """One of its timers rings so much too late."""
    lag.watch()
    clock.now += BEAT_SECONDS + late
    await asyncio.sleep(2 * BEAT_SECONDS)


def test_a_loop_that_is_always_late_is_noticed_and_one_that_was_once_is_not() -> None:
    async def scenario() -> None:
        clock = FakeClock()
        lag = EventLoopLag(metrics=Metrics(), clock=clock)
        await beat(lag, clock, late=0.1)
        assert 0 < lag.seconds <= 0.03
        for _ in range(15):
            await beat(lag, clock, late=0.1)
        assert lag.seconds > 0.03  # every other beat may have been in time
        assert lag.allowance_seconds > 0.1
        for _ in range(100):
            if not lag.is_beating:
                break
            clock.now += BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
        assert lag.seconds < BEAT_SECONDS
        assert not lag.is_beating  # an idle service sleeps

    asyncio.run(scenario())


def test_while_others_wait_it_is_part_of_the_prediction() -> None:
    async def scenario() -> None:
        clock, row = FakeClock(), np.ones(4, np.int32)
        lag = EventLoopLag(metrics=Metrics(), clock=clock)
        with ThreadPoolExecutor(1) as executor:
            thread_pool = ThreadPool(executor, num_threads=1, max_cells=8, lag=lag, clock=clock)
            batcher: Batcher[int] = Batcher(
                lambda batch: [0] * len(batch.lengths),
                thread_pool=thread_pool,
                max_queued_cells=1000,
                metrics=Metrics(),
                clock=clock,
            )
            lag.seconds = 0.1
            batcher.check(deadline=clock.now + 0.05)  # nothing waits
            first = batcher.enqueue([row] * 9, deadline=FOREVER)
            with pytest.raises(OverloadedError):
                batcher.enqueue([row], deadline=clock.now + 0.05)
            batcher.enqueue([row], deadline=clock.now + 0.5)
            await first.done

    asyncio.run(scenario())

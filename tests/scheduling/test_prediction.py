"""Speeds are learned from runs, and so is how far predictions are off."""

from __future__ import annotations

import random

import pytest

from service.scheduling.prediction import (
    LEAST_OFF,
    MOST_OFF,
    ArrivalRate,
    SafetyFactor,
    Throughput,
    TokensPerCharacter,
    completion_seconds,
)


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
    assert completion_seconds(ahead=1, own=1, arrival_rate=0, if_steady=9) == 2
    assert completion_seconds(ahead=1, own=1, arrival_rate=0.5, if_steady=9) == 4
    assert completion_seconds(ahead=1, own=1, arrival_rate=0.98, if_steady=9) == 9
    assert completion_seconds(ahead=1, own=1, arrival_rate=0.98, if_steady=1) == 2

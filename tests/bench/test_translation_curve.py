"""What two curves say of each other, with every doubt in favour of the batches."""

from __future__ import annotations

import math

import pytest

from bench.translation_curve import (
    AtEqualLatency,
    Curve,
    Point,
    at_equal_latency,
    can_take,
    rate_at,
    rates_between,
)


def curve(*points: tuple[float, float], capacity: float = 100.0) -> Curve:
    return Curve(capacity=capacity, points=[Point(rate=rate, p50=p99 / 2, p99=p99) for rate, p99 in points])


def test_a_point_is_the_median_of_its_rounds() -> None:
    rounds = [[1.0, 2.0, 9.0], [2.0, 3.0, 4.0], [4.0, 5.0, 6.0]]
    assert Point.of(10.0, rounds) == Point(rate=10.0, p50=3.0, p99=6.0)


def test_points_stand_by_rate() -> None:
    found = Curve.of(9.0, {5.0: [[2.0]], 1.0: [[1.0]]})
    assert [(point.rate, point.p99) for point in found.points] == [(1.0, 1.0), (5.0, 2.0)]


def test_latency_and_rate_lie_on_straight_lines_between_points() -> None:
    measured = curve((10, 20), (20, 40), (30, 140))
    assert [measured.p99_at(rate) for rate in (10, 15, 20, 25, 30)] == [20, 30, 40, 90, 140]
    assert [rate_at(measured, p99) for p99 in (20, 30, 40, 90)] == [10, 15, 20, 25]


def test_beyond_what_was_measured_is_said() -> None:
    measured = curve((10, 20), (20, 40))
    for rate in (9, 21):
        with pytest.raises(ValueError, match="no latency was measured"):
            measured.p99_at(rate)
    assert rate_at(measured, 19) is None
    assert rate_at(measured, 41) == math.inf


def test_a_dip_by_chance_does_not_lower_a_rate() -> None:
    """The p99 holds up to a rate if it does at all rates below."""
    assert rate_at(curve((10, 20), (20, 50), (30, 30), (40, 90)), 40) == pytest.approx(10 + 10 * 20 / 30)


def test_equal_latency_between_points() -> None:
    found = at_equal_latency(curve((10, 20), (90, 100), (95, 200)), curve((10, 50), (60, 150)), 100)
    assert found == AtEqualLatency(p99=100, step=90, empty=35, is_step_bound=False, is_empty_bound=False)
    assert found.ratio == pytest.approx(90 / 35)


def test_what_was_never_reached_counts_as_the_highest_rate_for_one_and_as_the_capacity_for_the_other() -> None:
    found = at_equal_latency(curve((10, 20), (90, 100)), curve((10, 50), (60, 150), capacity=64), 200)
    assert found == AtEqualLatency(p99=200, step=90, empty=64, is_step_bound=True, is_empty_bound=True)


def test_no_ratio_where_one_has_no_rate() -> None:
    assert at_equal_latency(curve((10, 20)), curve((10, 50)), 30).ratio is None


def test_rates_hold_the_shares_of_the_batches_capacity_and_no_two_alike() -> None:
    rates = rates_between(step_capacity=160, empty_capacity=100)
    assert rates == pytest.approx([30, 60, 80, 95, 112, 136, 152])
    assert rates_between(step_capacity=100, empty_capacity=100) == pytest.approx([30, 60, 70, 80, 85, 95])


def test_a_rate_near_the_capacity_is_too_much() -> None:
    assert can_take(0.95 * 123.4, 123.4)
    assert not can_take(0.96 * 123.4, 123.4)

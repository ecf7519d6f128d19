"""Latency by rate, and what two such curves say of each other. Nothing here measures."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.latency import percentile

FULL = 0.95  # of the capacity; from there on the queue, and all latencies, grow for as long as one looks
EMPTY_SHARES, STEP_SHARES = (0.3, 0.6, 0.8, 0.95), (0.7, 0.85, 0.95)
LEAST_RISE = 1.04  # from one rate to the next
SAME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Medians over the rounds, in milliseconds."""

    rate: float  # sentences a second
    p50: float
    p99: float

    @classmethod
    def of(cls, rate: float, rounds: Sequence[Sequence[float]]) -> Point:
        """The point of a rate from each round's latencies."""
        p50, p99 = (statistics.median(percentile(each, percent) for each in rounds) for percent in (50, 99))
        return cls(rate=rate, p50=p50, p99=p99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One policy's points by rising rate, and the rate it cannot go beyond."""

    capacity: float
    points: Sequence[Point]

    @classmethod
    def of(cls, capacity: float, latencies: Mapping[float, Sequence[Sequence[float]]]) -> Curve:
        """The curve of rounds of latencies by rate."""
        return cls(capacity=capacity, points=[Point.of(rate, latencies[rate]) for rate in sorted(latencies)])

    def p99_at(self, rate: float) -> float:
        """Raises ValueError if the rate is outside of what was measured."""
        for before, after in itertools.pairwise(self.points):
            if before.rate * (1 - SAME) <= rate <= after.rate * (1 + SAME):
                share = (rate - before.rate) / (after.rate - before.rate)
                return before.p99 + share * (after.p99 - before.p99)
        raise ValueError(f"no latency was measured around {rate:.1f}/s")


@dataclass(frozen=True, slots=True, kw_only=True)
class AtEqualLatency:
    """The rates at which both policies have the same p99; none where even the lowest rate has a higher one."""

    p99: float
    step: float | None
    empty: float | None
    is_step_bound: bool  # it was met at every rate that was measured: ``step`` is the highest of them
    is_empty_bound: bool  # so is ``empty``, but it is taken for the capacity: more than there can be

    @property
    def ratio(self) -> float | None:
        """A lower bound where either is bound."""
        return self.step / self.empty if self.step and self.empty else None


def at_equal_latency(step: Curve, empty: Curve, p99: float) -> AtEqualLatency:
    step_rate, empty_rate = rate_at(step, p99), rate_at(empty, p99)
    return AtEqualLatency(
        p99=p99,
        step=step.points[-1].rate if step_rate == float("inf") else step_rate,
        empty=empty.capacity if empty_rate == float("inf") else empty_rate,
        is_step_bound=step_rate == float("inf"),
        is_empty_bound=empty_rate == float("inf"),
    )


def rate_at(curve: Curve, p99: float) -> float | None:
    """The highest rate up to which the p99 stays at or below this one, by straight lines between the points; infinite
    if it does at all of them, none if it does at none."""
    first, *_ = curve.points
    if first.p99 > p99:
        return None
    for before, after in itertools.pairwise(curve.points):
        if after.p99 > p99:
            share = (p99 - before.p99) / (after.p99 - before.p99)
            return before.rate + share * (after.rate - before.rate)
    return float("inf")


def rates_between(*, step_capacity: float, empty_capacity: float) -> list[float]:
    """At which both are measured, as far as they can: shares of either's capacity, those of the second exactly."""
    rates = [share * empty_capacity for share in EMPTY_SHARES]
    for rate in (share * step_capacity for share in STEP_SHARES):
        if all(max(rate, known) >= LEAST_RISE * min(rate, known) for known in rates):
            rates.append(rate)
    return sorted(rates)


def can_take(rate: float, capacity: float) -> bool:
    return rate <= FULL * capacity * (1 + SAME)

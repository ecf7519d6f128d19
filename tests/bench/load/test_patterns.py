"""A service that can take so much, and a client that can send so much, by arithmetic."""

from __future__ import annotations

import pytest

from bench.load.patterns import PATTERNS, Pattern, Ramp, overload, soak, spike, steady
from bench.load.tally import Fate, Sent, Tally


def sent(due: float, *, fate: Fate = Fate.ANSWERED, milliseconds: float = 5.0, lag: float = 0.5) -> Sent:
    return Sent(due=due, kind="any", fate=fate, num_items=1, num_words=10, milliseconds=milliseconds, lag=lag)


def play(pattern: Pattern, *, capacity: float, client: float = 1e9) -> Tally:
    """Ticks of a tenth of a second; what is over the capacity is refused, what is over the client's comes late."""
    tally, moment = Tally(slo_milliseconds=500.0), 0.0
    while (rate := pattern.rate_at(moment, tally)) is not None:
        lag = 0.5 if rate <= client else 600.0
        for number in range(max(1, round(rate / 10))):
            taken = number < capacity / 10
            fate = Fate.ANSWERED if taken else Fate.REFUSED
            tally.sent.append(sent(moment, fate=fate, milliseconds=5.0 + lag, lag=lag))
        moment += 0.1
    return tally


@pytest.mark.parametrize("capacity", [100.0, 330.0, 1700.0])
def test_a_ramp_finds_what_the_service_can_take(capacity):
    ramp = Ramp(rate=50.0, most_seconds=200.0)
    play(ramp, capacity=capacity)
    assert ramp.verdict == "found"
    assert ramp.saturation is not None
    assert 0.9 * capacity < ramp.saturation.rate < 1.15 * capacity  # up to 5 % too much is still good enough


def test_a_ramp_says_when_the_client_was_the_limit():
    ramp = Ramp(rate=50.0, most_seconds=200.0)
    play(ramp, capacity=1e9, client=300.0)
    assert ramp.verdict == "the client was the limit"
    assert ramp.saturation is not None
    assert ramp.saturation.rate <= 300.0


def test_a_ramp_ends_in_time_and_finds_nothing_where_nothing_is_good():
    slow, broken = Ramp(rate=1.0, growth=1.01, most_seconds=10.0), Ramp(rate=64.0, most_seconds=60.0)
    play(slow, capacity=1e9)
    assert slow.verdict == "the time was over"
    assert slow.steps[-1].end <= 10.0
    play(broken, capacity=0.0)
    assert broken.saturation is None


@pytest.mark.parametrize(("make", "peak"), [(steady, 1.0), (soak, 0.5), (spike, 2.5), (overload, 10.0)])
def test_planned_patterns_take_the_time_they_are_given(make, peak):
    pattern = make(40.0, 20.0)
    assert pattern.steps[-1].end == pytest.approx(20.0)
    assert max(step.rate for step in pattern.steps) == peak * 40.0
    assert pattern.rate_at(20.0, Tally(slo_milliseconds=1.0)) is None


def test_every_pattern_is_made_of_a_rate_and_seconds():
    for make in PATTERNS.values():
        assert make(10.0, 5.0).rate_at(0.0, Tally(slo_milliseconds=1.0)) is not None

"""Patterns of load, second by second: pure functions of time and of the answers so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.load.tally import Stretch, Tally

SETTLE_SHARE = 0.3  # of a step, which is not judged: queues of the step before are still being worked off
ENOUGH_GOOD = 0.95  # of a step's requests must be answered within the objective
MOST_LAG = 20.0  # milliseconds; a client that is later than this at its 99th percentile is the limit itself
LEAST_GROWTH = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stretch at one rate."""

    rate: float  # requests a second
    start: float  # seconds
    end: float

    def judged(self, tally: Tally) -> Stretch:
        """The stretch that is judged, without its beginning."""
        return tally.between(self.start + SETTLE_SHARE * (self.end - self.start), self.end)


class Pattern(Protocol):
    """Says at any moment how much is offered; ``steps`` are those that are reported."""

    @property
    def steps(self) -> Sequence[Step]: ...

    def rate_at(self, seconds: float, tally: Tally) -> float | None:
        """Requests a second; none at the end of the run."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Steps that are known beforehand."""

    steps: Sequence[Step]

    def rate_at(self, seconds: float, tally: Tally) -> float | None:
        return next((step.rate for step in self.steps if step.start <= seconds < step.end), None)


def planned(*parts: tuple[float, float]) -> Planned:
    """Rate and seconds of each step, one after the other."""
    steps: list[Step] = []
    for rate, seconds in parts:
        start = steps[-1].end if steps else 0.0
        steps.append(Step(rate=rate, start=start, end=start + seconds))
    return Planned(steps=steps)


def steady(rate: float, seconds: float) -> Planned:
    return planned((rate, seconds))


def soak(rate: float, seconds: float) -> Planned:
    """Half of it, for long."""
    return planned((0.5 * rate, seconds))


def spike(rate: float, seconds: float) -> Planned:
    """Half of it; five times as much for a tenth of the time; half of it again, when all must be as before."""
    return planned((0.5 * rate, 0.4 * seconds), (2.5 * rate, 0.1 * seconds), (0.5 * rate, 0.5 * seconds))


def overload(rate: float, seconds: float) -> Planned:
    """Half, all, three times and ten times of it."""
    return planned(*((factor * rate, seconds / 4) for factor in (0.5, 1.0, 3.0, 10.0)))


@dataclass(slots=True, kw_only=True)
class Ramp:
    """More and more until too few of the answers are good, or the client cannot follow; then between the highest rate
    that was good and the lowest that was not, until they are near each other."""

    rate: float  # of the first step
    growth: float = 1.5
    step_seconds: float = 2.0
    most_seconds: float = 60.0
    steps: list[Step] = field(default_factory=list)
    verdict: str = ""  # why it ended
    _best: float = 0.0  # the highest good rate
    _bad: float = float("inf")  # the lowest that was not

    def rate_at(self, seconds: float, tally: Tally) -> float | None:
        if self.steps and seconds < self.steps[-1].end:
            return self.steps[-1].rate
        rate = self._next(tally) if self.steps else self.rate
        if rate is None or seconds + self.step_seconds > self.most_seconds:
            self.verdict = self.verdict or "the time was over"
            return None
        self.steps.append(Step(rate=rate, start=seconds, end=seconds + self.step_seconds))
        return rate

    @property
    def saturation(self) -> Step | None:
        """The highest rate that was good; none if not even the first was."""
        return max((step for step in self.steps if step.rate <= self._best), key=lambda step: step.rate, default=None)

    def _next(self, tally: Tally) -> float | None:
        last = self.steps[-1]
        judged = last.judged(tally)
        if judged.good_share >= ENOUGH_GOOD:  # in spite of the client, if that was late: its delay is counted too
            self._best = max(self._best, last.rate)
        elif judged.lag > MOST_LAG:
            self.verdict = "the client was the limit"
            return None
        else:
            self._bad = min(self._bad, last.rate)
        if self._bad == float("inf"):
            return last.rate * self.growth
        between = (self._best * self._bad) ** 0.5 if self._best else self._bad / self.growth
        if between < LEAST_GROWTH * self._best or between < 1.0:
            self.verdict = "found"
            return None
        return between


Maker = Callable[[float, float], Pattern]  # of a rate and of seconds
PATTERNS: dict[str, Maker] = {
    "ramp": lambda rate, seconds: Ramp(rate=rate, most_seconds=seconds),
    "steady": steady,
    "soak": soak,
    "spike": spike,
    "overload": overload,
}

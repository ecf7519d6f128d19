"""When a request will be answered: speeds learned from runs, and how far such predictions have been off."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

MEMORY = 0.95  # of what earlier runs taught, this much is kept at each new one
# Predictions are raised until so many hold. What else may come between, a garbage collection or another program, is
# the same for short ones and long ones, so a few milliseconds stand on both sides of the comparison.
HELD_SHARE = 0.995
PATIENCE_SECONDS = 0.01
STEP = 0.05
LEAST_OFF, MOST_OFF = 1.2, 4.0  # some reserve at any time: it costs no throughput, only a shorter queue
INFLOW_SECONDS = 0.5  # over which what came lately is averaged
FULL = 0.98  # of the service, by what comes: more is not told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How long one run took."""

    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """What the largest runs before the service was ready taught."""

    short: Speed  # many rows of a usual length, or the largest step of a decoder
    long: Speed | None = None  # one row as long as the limit
    longest_seconds: float  # for which one run, or one turn, may hold its thread


class Throughput:
    """Tokens per second of one slot, learned from its runs; big runs count for more, old ones for less."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0
        self._best = float("inf")  # seconds a token

    def learn(self, *, tokens: int, seconds: float) -> None:
        self._tokens = MEMORY * self._tokens + tokens
        self._seconds = MEMORY * self._seconds + seconds
        if self._tokens:
            self._best = min(self._best, self._seconds / self._tokens)

    def seconds_for(self, tokens: float) -> float:
        """0 as long as nothing ran."""
        return tokens * self._seconds / self._tokens if self._tokens else 0.0

    def best_seconds_for(self, tokens: float) -> float:
        """At the highest speed that was ever reached; 0 as long as nothing ran."""
        return tokens * self._best if self._tokens else 0.0


class Density:
    """What a character costs, learned from the texts that came: to judge a request before it is encoded."""

    def __init__(self) -> None:
        self._learned = Throughput()

    def learn(self, *, length: int, cost: float) -> None:
        if length:
            self._learned.learn(tokens=length, seconds=cost)

    def cost_of(self, length: int) -> int:
        """At least 1; nothing more before anything was learned."""
        return max(1, int(self._learned.seconds_for(length)))


class Inflow:
    """How much of the service's time was asked for lately, a second, by requests of each size: 1 is all of it."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}  # by the power of two of the offset of the last row
        self._at = 0.0

    def note(self, seconds: float, *, offset: float, now: float) -> None:
        """A request was let in that takes so long, the last row of which stands so much later by virtual time."""
        kept = self._kept(now)
        self._seconds = {size: kept * each for size, each in self._seconds.items()}
        self._at = now
        size = _size(offset)
        self._seconds[size] = self._seconds.get(size, 0.0) + seconds

    def share_before(self, offset: float, *, now: float) -> float:
        """Of what comes, that which is served before a row at this offset: small requests whole, of those of its own
        size half, of larger ones less."""
        own = _size(offset)
        seconds = sum(each * min(1.0, 2.0 ** (own - size - 1)) for size, each in self._seconds.items())
        return min(FULL, self._kept(now) * seconds / INFLOW_SECONDS)

    def _kept(self, now: float) -> float:
        return exp((self._at - now) / INFLOW_SECONDS)


def _size(offset: float) -> int:
    return int(offset).bit_length()


class Margin:
    """By how much predictions are to be raised so that all but a few hold: a quantile of real over predicted, followed
    by steps (Robbins & Monro 1951)."""

    def __init__(self) -> None:
        self.factor = LEAST_OFF

    def learn(self, *, predicted: float, real: float) -> None:
        if real + PATIENCE_SECONDS > self.factor * (predicted + PATIENCE_SECONDS):
            self.factor = min(MOST_OFF, self.factor * (1 + STEP * HELD_SHARE))
        else:
            self.factor = max(LEAST_OFF, self.factor * (1 - STEP * (1 - HELD_SHARE)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What was predicted of a request when it was let in, to be compared with what came of it."""

    seconds: float  # without the margin
    margin: Margin

    def settle(self, seconds: float) -> None:
        """It took so long, or at least so long."""
        self.margin.learn(predicted=self.seconds, real=seconds)


def completion_seconds(*, ahead: float, own: float, inflow: float, if_steady: float) -> float:
    """Until a request is answered: ``ahead`` is the work that stands before its last row, ``own`` its own.

    What comes meanwhile passes it as long as the clock has not reached its last row. At the present rate of ``inflow``
    the wait grows like that of a queue with processor sharing, by 1 / (1 - inflow); but no more passes than if as many
    waited all the time as now: ``if_steady``.
    """
    quiet = ahead + own
    return min(quiet / (1 - inflow), max(quiet, if_steady))

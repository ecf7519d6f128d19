"""Latency of a request, predicted from the speeds of earlier runs, recent arrivals and the lag of the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import exp

from service.metrics import Metrics

MEMORY = 0.95  # weight that earlier runs keep at each new one
# Predictions are raised until this share of them holds. Other delays, a garbage collection or another program, are
# the same for short and long requests, so a few milliseconds stand on both sides of the comparison.
HELD_SHARE = 0.995
PATIENCE_SECONDS = 0.01
STEP = 0.05
LEAST_OFF, MOST_OFF = 1.2, 4.0  # some reserve at any time: it costs no throughput, only a shorter queue
ARRIVAL_SECONDS = 0.5  # over which arrivals are averaged
FULL = 0.98  # highest share of arrivals that is told apart
HALF_LIFE_SECONDS = 1.0  # of arrivals, in the share of short rows
SILENCE_SECONDS = 3.0  # after so long without a short row none is expected, whatever its share was
BEAT_SECONDS = 0.01  # between two looks at the event loop's lag
NEWEST = 0.2  # weight of the last beat: one that is late says little, several do
# Turns between a request's arrival and its answer: half of one until it is read, one until its task begins, one until
# a thread's news is heard, one until the answer is written.
TURNS = 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Measured speed of one run."""

    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Speeds measured by the largest runs, which are made before the service is ready."""

    short: Speed  # many rows of a usual length, or the largest step of a decoder
    long: Speed | None = None  # one row as long as the limit
    longest_seconds: float  # for which one run, or one turn, may hold its thread


class Throughput:
    """Tokens per second of one thread, learned from its runs; big runs count for more, old ones for less."""

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
        """Return the seconds that so many tokens take; 0 as long as nothing ran."""
        return tokens * self._seconds / self._tokens if self._tokens else 0.0

    def best_seconds_for(self, tokens: float) -> float:
        """Return the seconds at the highest speed that was ever reached; 0 as long as nothing ran."""
        return tokens * self._best if self._tokens else 0.0


class TokensPerCharacter:
    """Cost of a character, learned from earlier texts, to judge a request before it is encoded."""

    def __init__(self) -> None:
        self._learned = Throughput()

    def learn(self, *, length: int, cost: float) -> None:
        if length:
            self._learned.learn(tokens=length, seconds=cost)

    def cost_of(self, length: int) -> int:
        """Estimate the cost of so many characters, at least 1; it is 1 before anything was learned."""
        return max(1, int(self._learned.seconds_for(length)))


class ArrivalRate:
    """Share of the service's time that recent requests asked for, by the size of the request; 1 is all of it."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}  # by the power of two of the offset of the last row
        self._at = 0.0

    def record(self, seconds: float, *, offset: float, now: float) -> None:
        """Record an admitted request that takes so long, whose last row has this offset in virtual time."""
        kept = exp((self._at - now) / ARRIVAL_SECONDS)
        size = int(offset).bit_length()
        self._at = now
        self._seconds = {each: kept * before for each, before in self._seconds.items()}
        self._seconds[size] = self._seconds.get(size, 0.0) + seconds

    def share_before(self, offset: float, *, now: float) -> float:
        """Return the share of arrivals that is served before a row at this offset: small requests whole, half of those
        of its own size, less of larger ones."""
        own = int(offset).bit_length()
        seconds = sum(each * min(1.0, 2.0 ** (own - size - 1)) for size, each in self._seconds.items())
        return min(FULL, exp((self._at - now) / ARRIVAL_SECONDS) * seconds / ARRIVAL_SECONDS)

    def completion_seconds(self, *, ahead: float, own: float, if_steady: float, offset: float, now: float) -> float:
        """Predict the seconds until a request is answered: ``ahead`` is the work that stands before its last row, at
        this ``offset``, and ``own`` its own work.

        Requests that arrive meanwhile overtake it as long as the clock has not reached its last row. At the present
        rate of arrivals the wait grows like that of a queue with processor sharing, by 1 / (1 - rate), but no more of
        them overtake it than if as many waited all the time as now: ``if_steady``.
        """
        quiet = ahead + own
        if if_steady <= quiet:
            return quiet
        return min(quiet / (1 - self.share_before(offset, now=now)), if_steady)


class LengthMix:
    """Share of recently arrived tokens that was in short rows."""

    def __init__(self) -> None:
        self._short = self._all = 0.0
        self._at = self._short_at = 0.0

    def record(self, tokens: int, *, is_long: bool, now: float) -> None:
        kept = 0.5 ** ((now - self._at) / HALF_LIFE_SECONDS)
        self._at = now
        self._short = kept * self._short + (0 if is_long else tokens)
        self._all = kept * self._all + tokens
        if not is_long:
            self._short_at = now

    def short_share(self, now: float) -> float:
        """Return the share; 0 before anything arrived, and when nothing short has arrived for a while: a share alone
        does not age, and a backlog of long rows would be worked off beside an idle thread."""
        return self._short / self._all if self._all and now - self._short_at < SILENCE_SECONDS else 0.0


class SafetyFactor:
    """Factor by which predictions are raised so that all but a few hold: a quantile of real over predicted time,
    followed by steps (Robbins & Monro 1951)."""

    def __init__(self) -> None:
        self.factor = LEAST_OFF

    def learn(self, *, predicted: float, real: float) -> None:
        if real + PATIENCE_SECONDS > self.factor * (predicted + PATIENCE_SECONDS):
            self.factor = min(MOST_OFF, self.factor * (1 + STEP * HELD_SHARE))
        else:
            self.factor = max(LEAST_OFF, self.factor * (1 - STEP * (1 - HELD_SHARE)))


class EventLoopLag:
    """Measures how late a timer of the event loop is. It runs only while there are requests: an idle service sleeps."""

    def __init__(self, *, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = 0.0  # of late, one turn of the loop
        self._metrics = metrics
        self._clock = clock
        self.is_beating = False
        self._is_needed = False
        self._due = 0.0

    @property
    def allowance_seconds(self) -> float:
        """Seconds that the event loop takes of a request's time on its way in and out."""
        return TURNS * self.seconds

    def watch(self) -> None:
        """Keep measuring, because a request came."""
        self._is_needed = True
        if not self.is_beating:
            self.is_beating = True
            self._sleep()

    def _sleep(self) -> None:
        self._due = self._clock() + BEAT_SECONDS
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        late = max(0.0, self._clock() - self._due)
        self._metrics.loop_lag_seconds.observe(late)
        self.seconds += NEWEST * (late - self.seconds)
        if self._is_needed or self.seconds > BEAT_SECONDS:
            self._is_needed = False
            self._sleep()
        else:
            self.is_beating = False

"""Thread pool: the threads that run models, shared by all of them, and the choice of which rows run next."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from service.scheduling.event_loop_lag import EventLoopLag
from service.scheduling.prediction import ArrivalRate, completion_seconds
from service.scheduling.virtual_time import Priority, VirtualClock
from service.scheduling.work_source import WorkSource

MIN_ROWS_TO_SPLIT = 4  # fewer rows than this in a run cost almost what this many do
MIN_ROWS_TO_STAGE = 64  # several full batches
# Hardly any sentence is longer, and a longer row is computed step by step: alone it takes as long as a batch of
# dozens of sentences does, and no sentence should have to wait for that several times over.
LONG_ROW_TOKENS = 128
# A thread kept idle for short rows is worth it where they are a good part of the work, not where one review in four
# happens to be brief.
SHORT_SHARE_TO_KEEP_A_THREAD = 0.2
HALF_LIFE_SECONDS = 1.0  # of arrivals, in the share of short rows
SILENCE_SECONDS = 3.0  # after so long without a short row none is expected, whatever its share was


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


@dataclass(frozen=True, slots=True)
class RunningBatch:
    """A batch that runs, or is staged in the executor's queue."""

    begun_at: float
    seconds: float  # predicted duration

    def seconds_left(self, now: float) -> float:
        return max(0.0, self.begun_at + self.seconds - now)


class ThreadPool:
    """Runs batches of all models on ``num_threads`` threads; an idle thread takes the row of least virtual time and its
    like.

    Long rows may not hold the last thread as long as short ones wait or are a good part of what arrives. With one
    thread only, a run of waiting short rows comes between any two long runs. Nothing else passes over a long row
    because of its length: once it has the least virtual time it starts when a long run ends or, on a single thread,
    after the next run of short rows.

    Where rows wait beside sources that take turns, the two kinds start alternately, whatever their age: neither a long
    text that is translated nor a backlog of rows keeps the other from the threads.

    All methods belong to the event loop's thread; ``num_idle`` and ``is_wanted`` may be read from any.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        num_threads: int,
        max_cells: int,
        lag: EventLoopLag | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.num_threads = num_threads
        self.is_wanted = False  # a source waits for a thread, and none is idle
        self.clock = VirtualClock()  # of the rows of all sources
        self._executor = executor
        self._max_cells = max_cells
        self._lag = lag
        self._clock = clock
        self._sources: list[WorkSource] = []
        self._runs: dict[WorkSource, deque[RunningBatch]] = {}
        self._arrival_rate = ArrivalRate()
        self._busy = 0
        self._num_long = 0  # of the busy ones
        self._was_long = False  # whether the last started run was of long rows
        self._was_turn = False  # whether it was a turn
        self._length_mix = LengthMix()
        self._is_scheduled = False

    @property
    def num_idle(self) -> int:
        return max(0, self.num_threads - self._busy)

    def add(self, source: WorkSource) -> None:
        """Serve this source too."""
        self._sources.append(source)
        self._runs[source] = deque()

    def remove(self, source: WorkSource) -> None:
        """Forget a source of which nothing waits. A run of it that goes on is released as always."""
        self._sources.remove(source)
        self._runs.pop(source, None)

    @property
    def overhead_seconds(self) -> float:
        """Seconds that the event loop adds to every request."""
        return 0.0 if self._lag is None else self._lag.allowance_seconds

    @property
    def is_idle(self) -> bool:
        """Whether a row that arrives now starts at once."""
        return self.num_idle > 0 and not any(source.num_waiting for source in self._sources)

    def wait_seconds(self, *, is_long: bool, offset: float = 0.0) -> float:
        """Estimate how long a row waits that arrives now with this offset in virtual time, if nothing arrived after
        it."""
        time = self.clock.now + offset
        running = self._running_seconds() if not self.num_idle else 0.0
        short_seconds = long_seconds = 0.0
        for source in self._sources:
            if source.is_long:
                long_seconds += source.seconds_before(time)
            else:
                short_seconds += source.seconds_before(time)
        if not is_long:
            return running / self.num_threads + short_seconds / max(1, self.num_threads - self._num_long)
        all_seconds = running + short_seconds + long_seconds
        return max(all_seconds / self.num_threads, long_seconds / self._most_long())

    def completion_seconds(self, source: WorkSource, *, cells: int, offset: float, priority: Priority) -> float:
        """Estimate how long a request of so many cells takes, the last row of which has this offset in virtual time. It
        may have all threads, and shares them with all that wait and arrive."""
        shares = self.clock.shares + priority.share
        return completion_seconds(
            ahead=self.wait_seconds(is_long=source.is_long, offset=offset),
            own=max(source.seconds_for(cells) / self.num_threads, self._last_run_seconds(source, cells)),
            arrival_rate=self._arrival_rate.share_before(offset, now=self._clock()),
            if_steady=source.seconds_for(offset * shares) / self.num_threads,
        )

    def _last_run_seconds(self, source: WorkSource, cells: int) -> float:
        """Estimate the last row's run: while others wait it is filled up with their rows."""
        return source.seconds_for(min(self._max_cells, source.cells + cells))

    def _running_seconds(self) -> float:
        now = self._clock()
        return sum(run.seconds_left(now) for runs in self._runs.values() for run in runs)

    def arrived(self, source: WorkSource, *, tokens: int, offset: float = 0.0) -> None:
        """Record queued rows of so many tokens, the last with this offset, and form batches once all that is ready is
        queued.

        There is no timer, only the event loop's next turn. A turn in which many requests are read is long, so rows that
        fill the idle threads do not wait for its end; long rows that may not have those threads do not fill them.
        """
        now = self._clock()
        self._length_mix.record(tokens, is_long=source.is_long, now=now)
        self._arrival_rate.record(source.seconds_for(tokens) / self.num_threads, offset=offset, now=now)
        if not self.num_idle:
            self.is_wanted = self._is_thread_wanted()
        elif sum(source.cells for source in self._ready()) >= self._max_cells * self.num_idle:
            self._fill()
        elif not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._fill)

    def release(self, source: WorkSource) -> None:
        """End a run of this source and start the next. Of several runs of one source the first to begin is taken for
        it."""
        self._busy -= 1
        if runs := self._runs.get(source):  # which it may have left meanwhile
            runs.popleft()
        self._num_long -= source.is_long
        self._fill()

    def _fill(self) -> None:
        self._is_scheduled = False
        while (source := self._next()) is not None:
            now, cells = self._clock(), source.cells
            taken = source.take(self._share(source), now=now)
            if taken:
                self._runs[source].append(RunningBatch(now, source.seconds_for(cells - source.cells)))
                self._busy += 1
                self._num_long += source.is_long
                self._was_long, self._was_turn = source.is_long, source.takes_turns
                self._executor.submit(source.work, source, taken, asyncio.get_running_loop())
        self.is_wanted = not self.num_idle and self._is_thread_wanted()

    def _next(self) -> WorkSource | None:
        """Return the source whose turn it is of all that may run now; if both kinds wait, one of the kind that did not
        start last."""
        allowed = [(rank, source) for source in self._ready() if (rank := source.rank) is not None]
        other = [(rank, source) for rank, source in allowed if source.takes_turns != self._was_turn]
        return min(other or allowed, key=lambda pair: pair[0])[1] if allowed else None

    def _is_thread_wanted(self) -> bool:
        """Whether some source could use a thread if a turn ended."""
        return any(source.needs_thread for source in self._sources if not source.is_long or self._may_run_long())

    def _ready(self) -> Iterator[WorkSource]:
        """Yield the sources that have a row and may run one now."""
        return (source for source in self._sources if source.num_waiting and self._has_room(source))

    def _has_room(self, source: WorkSource) -> bool:
        """Whether a source may start a run now.

        Under load one batch more is staged in the executor's queue, lest a thread stand idle while the event loop is
        busy. With so many rows waiting, those that arrive meanwhile would not have changed it. But it would pass over a
        source that waits for a turn.
        """
        may_stage = (
            self._busy == self.num_threads and source.num_waiting >= MIN_ROWS_TO_STAGE and not self._is_turn_due()
        )
        return (self._busy < self.num_threads or may_stage) and (not source.is_long or self._may_run_long())

    def _may_run_long(self) -> bool:
        if self.num_threads == 1 and self._is_short_waiting():
            return not self._was_long
        return self._num_long < self._most_long()

    def _most_long(self) -> int:
        """Return how many runs of long rows there may be at once."""
        short_share = self._length_mix.short_share(self._clock())
        expects_short = self._is_short_waiting() or short_share >= SHORT_SHARE_TO_KEEP_A_THREAD
        return max(1, self.num_threads - 1) if expects_short else self.num_threads

    def _is_short_waiting(self) -> bool:
        return any(source.num_waiting for source in self._sources if not source.is_long)

    def _is_turn_due(self) -> bool:
        return any(source.needs_thread for source in self._sources if source.takes_turns)

    def _share(self, source: WorkSource) -> int:
        """Return the cells for the next batch: waiting rows are split among the idle threads, down to a few rows
        each."""
        idle = self.num_threads - self._busy
        if source.is_long:
            idle = min(idle, self._most_long() - self._num_long)
        idle = max(1, idle)
        if source.num_waiting < MIN_ROWS_TO_SPLIT * idle:
            return self._max_cells
        return min(self._max_cells, -(-source.cells // idle))

"""Thread pool: the threads that run models, shared by all of them, and the choice of which rows run next."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from operator import itemgetter
from typing import Any, Protocol

from service.scheduling.fair_queue import VirtualClock
from service.scheduling.job import Priority
from service.scheduling.latency import ArrivalRate, EventLoopLag, LengthMix

MIN_ROWS_TO_SPLIT = 4  # fewer rows than this in a run cost almost what this many do
MIN_ROWS_TO_STAGE = 64  # several full batches
# Hardly any sentence is longer, and a longer row is computed step by step: alone it takes as long as a batch of
# dozens of sentences does, and no sentence should have to wait for that several times over.
LONG_ROW_TOKENS = 128
# A thread kept idle for short rows is worth it where they are a good part of the work, not where one review in four
# happens to be brief.
SHORT_SHARE_TO_KEEP_A_THREAD = 0.2


class WorkSource(Protocol):
    """One model's work as the thread pool sees it. It belongs to the event loop's thread, except for ``work``: the
    function that runs what was taken, on a worker thread, and sees that ``ThreadPool.release`` is called."""

    work: Callable[[Any, Sequence[Any], asyncio.AbstractEventLoop], None]

    @property
    def is_long(self) -> bool:
        """Whether a run may take as long as a batch of dozens of sentences."""
        ...

    @property
    def takes_turns(self) -> bool:
        """Whether a run ends soon after its thread is wanted, done or not, and waits again."""
        ...

    @property
    def num_waiting(self) -> int:
        """Number of rows or workers that could start; 0 if none."""
        ...

    @property
    def cells(self) -> int:
        """Number of tokens that could start."""
        ...

    @property
    def rank(self) -> tuple[float, int] | None:
        """Rank among sources of its kind, the least goes first; None if nothing could start."""
        ...

    @property
    def needs_thread(self) -> bool:
        """Whether work waits that no running run will take along."""
        ...

    def seconds_before(self, time: float) -> float:
        """Estimate how long one thread is busy with waiting work that comes before a moment of virtual time."""
        ...

    def seconds_for(self, cells: float) -> float:
        """Estimate how long one thread takes for so many cells."""
        ...

    def take(self, max_cells: int, *, now: float) -> Sequence[Any]:
        """Take the work of the next run; possibly none."""
        ...


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
        self._running: dict[WorkSource, deque[float]] = {}  # predicted ends of each source's runs, staged ones too
        self._waiting: dict[WorkSource, None] = {}  # sources that have work waiting, and maybe some that have none left
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
        self._running[source] = deque()

    def remove(self, source: WorkSource) -> None:
        """Forget a source of which nothing waits. A run of it that goes on is released as always."""
        del self._running[source]
        self._waiting.pop(source, None)

    @property
    def overhead_seconds(self) -> float:
        """Seconds that the event loop adds to every request."""
        return 0.0 if self._lag is None else self._lag.allowance_seconds

    @property
    def is_idle(self) -> bool:
        """Whether a row that arrives now starts at once."""
        return self._busy < self.num_threads and not any(source.num_waiting for source in self._waiting)

    def wait_seconds(self, *, is_long: bool, offset: float = 0.0) -> float:
        """Estimate how long a row waits that arrives now with this offset in virtual time, if nothing arrived after
        it."""
        if not self._waiting and self._busy < self.num_threads:
            return 0.0
        time = self.clock.now + offset
        running = self._running_seconds() if self._busy >= self.num_threads else 0.0
        short_seconds = long_seconds = 0.0
        for source in self._waiting:
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
        may have all threads, and shares them with all that wait and arrive. While others wait the last row's run is
        filled up with their rows."""
        last_run_cells = min(self._max_cells, source.cells + cells)
        return self._arrival_rate.completion_seconds(
            ahead=self.wait_seconds(is_long=source.is_long, offset=offset),
            own=max(source.seconds_for(cells) / self.num_threads, source.seconds_for(last_run_cells)),
            if_steady=source.seconds_for(offset * (self.clock.shares + priority.share)) / self.num_threads,
            offset=offset,
            now=self._clock(),
        )

    def _running_seconds(self) -> float:
        now = self._clock()
        return sum(max(0.0, end - now) for ends in self._running.values() for end in ends)

    def arrived(self, source: WorkSource, *, tokens: int, offset: float = 0.0) -> None:
        """Record queued rows of so many tokens, the last with this offset, and form batches once all that is ready is
        queued.

        There is no timer, only the event loop's next turn. A turn in which many requests are read is long, so rows that
        fill the idle threads do not wait for its end; long rows that may not have those threads do not fill them.
        """
        now = self._clock()
        self._waiting[source] = None
        self._length_mix.record(tokens, is_long=source.is_long, now=now)
        self._arrival_rate.record(source.seconds_for(tokens) / self.num_threads, offset=offset, now=now)
        if self._busy >= self.num_threads:
            self.is_wanted = self._is_thread_wanted()
        elif sum([each.cells for each in self._ready()]) >= self._max_cells * (self.num_threads - self._busy):
            self._fill()
        elif not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._fill)

    def release(self, source: WorkSource) -> None:
        """End a run of this source and start the next. Of several runs of one source the first to begin is taken for
        it."""
        self._busy -= 1
        self._num_long -= source.is_long
        ends = self._running.get(source)
        if ends:  # else it has left meanwhile, and may have come back
            ends.popleft()
        if ends is not None and source.num_waiting:  # what ran may wait again
            self._waiting[source] = None
        self._fill()

    def _fill(self) -> None:
        self._is_scheduled = False
        while self._waiting and (source := self._next()) is not None:
            now, cells = self._clock(), source.cells
            taken = source.take(self._share(source), now=now)
            if not source.num_waiting:
                self._waiting.pop(source, None)
            if taken:
                self._running[source].append(now + source.seconds_for(cells - source.cells))
                self._busy += 1
                self._num_long += source.is_long
                self._was_long, self._was_turn = source.is_long, source.takes_turns
                self._executor.submit(source.work, source, taken, asyncio.get_running_loop())
        self.is_wanted = self._busy >= self.num_threads and self._is_thread_wanted()

    def _next(self) -> WorkSource | None:
        """Return the source whose turn it is of all that may run now; if both kinds wait, one of the kind that did not
        start last."""
        allowed = []
        for source in list(self._waiting):
            if not source.num_waiting:  # its rows were dropped
                del self._waiting[source]
            elif self._has_room(source) and (rank := source.rank) is not None:
                allowed.append((source.takes_turns == self._was_turn, rank, source))
        return min(allowed, key=itemgetter(0, 1))[2] if allowed else None

    def _is_thread_wanted(self) -> bool:
        """Whether some source could use a thread if a turn ended."""
        return any(source.needs_thread for source in self._waiting if not source.is_long or self._may_run_long())

    def _ready(self) -> list[WorkSource]:
        """Return the sources that have a row and may run one now."""
        return [source for source in self._waiting if source.num_waiting and self._has_room(source)]

    def _has_room(self, source: WorkSource) -> bool:
        """Whether a source may start a run now.

        Under load one batch more is staged in the executor's queue, lest a thread stand idle while the event loop is
        busy. With so many rows waiting, those that arrive meanwhile would not have changed it. But it would pass over a
        source that waits for a turn.
        """
        if source.is_long and not self._may_run_long():
            return False
        if self._busy < self.num_threads:
            return True
        return self._busy == self.num_threads and source.num_waiting >= MIN_ROWS_TO_STAGE and not self._is_turn_due()

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
        return any(source.num_waiting for source in self._waiting if not source.is_long)

    def _is_turn_due(self) -> bool:
        return any(source.needs_thread for source in self._waiting if source.takes_turns)

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

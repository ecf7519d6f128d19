"""Thread pool: the threads that run models, shared by all of them, and the choice of which rows run next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from math import inf
from operator import itemgetter
from typing import Any, Protocol

from service.scheduling.fair_queue import VirtualClock

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
MEMORY = 0.95  # weight that earlier runs keep at each new one, in the speed of a source


class Throughput:
    """Speed of one thread, learned from its runs; big runs count for more, old ones for less."""

    def __init__(self) -> None:
        self.pace = 0.0  # seconds a token; 0 as long as nothing ran
        self._tokens = 0.0
        self._seconds = 0.0

    def learn(self, *, tokens: int, seconds: float) -> None:
        self._tokens = MEMORY * self._tokens + tokens
        self._seconds = MEMORY * self._seconds + seconds
        if self._tokens:
            self.pace = self._seconds / self._tokens


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

    @property
    def seconds_waiting(self) -> float:
        """Estimated time that one thread is busy with all that waits."""
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.num_threads = num_threads
        self.is_wanted = False  # a source waits for a thread, and none is idle
        self.clock = VirtualClock()  # of the rows of all sources
        self._executor = executor
        self._max_cells = max_cells
        self._clock = clock
        self._sources: set[WorkSource] = set()
        self._waiting: dict[WorkSource, None] = {}  # sources that have work waiting, and maybe some that have none left
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
        self._sources.add(source)

    def remove(self, source: WorkSource) -> None:
        """Forget a source of which nothing waits. A run of it that goes on is released as always."""
        self._sources.remove(source)
        self._waiting.pop(source, None)

    def wait_seconds(self, arriving: int = 0, *, is_long: bool = False) -> float:
        """Estimate how long the first row of a request waits that arrives now, after so many others that are not queued
        yet; 0 if nothing waits.

        Before it stands the first row of each waiting request, since the others of a long request come later. Long rows
        hold short ones up for a run at most.
        """
        rows, seconds = 0, 0.0
        for source in self._waiting:
            if is_long or not source.is_long:
                rows += source.num_waiting
                seconds += source.seconds_waiting
        return seconds / rows * (min(rows, self.clock.shares) + arriving) / self.num_threads if rows else 0.0

    def arrived(self, source: WorkSource, *, tokens: int) -> None:
        """Record queued rows of so many tokens, and form batches once all that is ready is queued.

        There is no timer, only the event loop's next turn. A turn in which many requests are read is long, so rows that
        fill the idle threads do not wait for its end; long rows that may not have those threads do not fill them.
        """
        self._waiting[source] = None
        self._length_mix.record(tokens, is_long=source.is_long, now=self._clock())
        if self._busy >= self.num_threads:
            self.is_wanted = self._is_thread_wanted()
            return
        ready = sum([each.cells for each in self._waiting if each.num_waiting and self._has_room(each)])
        if ready >= self._max_cells * (self.num_threads - self._busy):
            self._fill()
        elif not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._fill)

    def release(self, source: WorkSource, *, ended_at: float = inf) -> float:
        """End a run of this source, which may have left meanwhile, and start the next. Return for how long its thread
        has been idle since it ended although others wait, because the event loop was busy."""
        self._busy -= 1
        self._num_long -= source.is_long
        if source in self._sources and source.num_waiting:  # what ran may wait again
            self._waiting[source] = None
        was_idle = self._waiting and self._busy < self.num_threads
        idle_seconds = max(0.0, self._clock() - ended_at) if was_idle else 0.0
        self._fill()
        return idle_seconds

    def _fill(self) -> None:
        self._is_scheduled = False
        while self._waiting and (source := self._next()) is not None:
            cells = self._max_cells if source.num_waiting < MIN_ROWS_TO_SPLIT else self._share(source)
            taken = source.take(cells, now=self._clock())
            if not source.num_waiting:
                self._waiting.pop(source, None)
            if taken:
                self._busy += 1
                self._num_long += source.is_long
                self._was_long, self._was_turn = source.is_long, source.takes_turns
                self._executor.submit(source.work, source, taken, asyncio.get_running_loop())
        self.is_wanted = self._busy >= self.num_threads and self._is_thread_wanted()

    def _next(self) -> WorkSource | None:
        """Return the source whose turn it is of all that may run now; if both kinds wait, one of the kind that did not
        start last."""
        if len(self._waiting) == 1:  # as a rule
            (source,) = self._waiting
            if source.num_waiting and not source.takes_turns:
                return source if self._has_room(source) else None
        allowed: list[tuple[bool, tuple[float, int], WorkSource]] = []
        for source in list(self._waiting):
            if not source.num_waiting:  # its rows were dropped
                del self._waiting[source]
            elif self._has_room(source) and (rank := source.rank) is not None:
                allowed.append((source.takes_turns == self._was_turn, rank, source))
        return min(allowed, key=itemgetter(0, 1))[2] if allowed else None

    def _is_thread_wanted(self) -> bool:
        """Whether some source could use a thread if a turn ended."""
        return any(source.needs_thread for source in self._waiting if not source.is_long or self._may_run_long())

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

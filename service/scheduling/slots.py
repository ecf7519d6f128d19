"""The threads that run models, shared by all of them, and which rows run next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Generic

from service.errors import DeadlineExceededError
from service.scheduling.admission import Throughput
from service.scheduling.job import Answer, Row
from service.scheduling.queue import RowQueue

MIN_ROWS_TO_SPLIT = 4  # fewer rows than this in a run cost almost what this many do
MIN_ROWS_TO_STAGE = 64  # several full batches
# Hardly any sentence is longer, and a longer row is computed step by step: alone it takes as long as a batch of
# dozens of sentences does, which nobody with a sentence should have to wait for several times over.
LONG_ROW_TOKENS = 128
# A slot kept idle for short rows is worth it where they are a good part of the work, not where one review in four
# happens to be brief.
SHORT_SHARE_TO_KEEP_A_SLOT = 0.2
HALF_LIFE_SECONDS = 1.0  # of what came, when its share is reckoned
SILENCE_SECONDS = 3.0  # without a short row: by then none is expected, whatever its share was


@dataclass(slots=True, kw_only=True, eq=False)
class Line(Generic[Answer]):
    """One model's short rows, or its long ones, in the order in which they wait."""

    is_long: bool
    work: Callable[[Line[Answer], Sequence[Row[Answer]], asyncio.AbstractEventLoop], None]  # on a worker thread
    queue: RowQueue[Answer] = field(default_factory=RowQueue)
    throughput: Throughput = field(default_factory=Throughput)

    @property
    def seconds(self) -> float:
        """What one slot would need for all that waits, judged by earlier runs."""
        return self.throughput.seconds_for(self.queue.cells)

    def take(self, max_cells: int, *, now: float) -> list[Row[Answer]]:
        """The next batch without the rows that are too late, which are told so; possibly none."""
        rows = self.queue.take(max_cells)
        for row in rows:
            if row.job.deadline <= now:
                row.job.fail(DeadlineExceededError("the deadline passed before the work began"))
        return [row for row in rows if row.job.is_open]


class Traffic:
    """How much of the tokens that came lately was in short rows."""

    def __init__(self) -> None:
        self._short = self._all = 0.0
        self._at = self._short_at = 0.0

    def note(self, tokens: int, *, is_long: bool, now: float) -> None:
        kept = 0.5 ** ((now - self._at) / HALF_LIFE_SECONDS)
        self._at = now
        self._short = kept * self._short + (0 if is_long else tokens)
        self._all = kept * self._all + tokens
        if not is_long:
            self._short_at = now

    def short_share(self, now: float) -> float:
        """0 before anything came, and when nothing short has come for a while: a share alone does not age while
        nothing comes, and a backlog of long rows would be worked off beside an idle slot."""
        return self._short / self._all if self._all and now - self._short_at < SILENCE_SECONDS else 0.0


class Slots:
    """So many runs at once, of whichever model. An idle slot takes the oldest row that waits, and its like.

    Long rows may not hold the last slot as long as short ones wait or are a good part of what comes. Where there
    is one slot only, a run of short rows that wait comes between any two long runs. Nothing else passes a long row
    over because of its length: once it is the oldest it starts when a long run ends or, on a single slot, after the
    next run of short rows.

    All methods belong to the event loop's thread.
    """

    def __init__(
        self, executor: Executor, *, num_slots: int, max_cells: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._executor = executor
        self._num_slots = num_slots
        self._max_cells = max_cells
        self._clock = clock
        self._lines: list[Line[Any]] = []
        self._busy = 0
        self._num_long = 0  # of the busy ones
        self._was_long = False  # the run that was started last
        self._traffic = Traffic()
        self._is_scheduled = False

    def add(self, line: Line[Any]) -> None:
        """Serve this line too."""
        self._lines.append(line)

    def wait_seconds(self, *, is_long: bool) -> float:
        """About how long a row that comes now waits, if it is served in the order of arrival."""
        long_seconds = sum(line.seconds for line in self._lines if line.is_long)
        short_seconds = sum(line.seconds for line in self._lines if not line.is_long)
        if not is_long:
            return short_seconds / max(1, self._num_slots - self._num_long)
        return max((short_seconds + long_seconds) / self._num_slots, long_seconds / self._most_long())

    def own_seconds(self, line: Line[Any], tokens: int) -> float:
        """About how long so many tokens run, spread over the slots."""
        return line.throughput.seconds_for(tokens) / self._num_slots

    def arrived(self, line: Line[Any], *, tokens: int) -> None:
        """Rows of so many tokens were queued. Form batches once all that is ready now has been queued too: no timer,
        only the loop's next turn. A turn in which many requests are read is long, so what fills the idle slots does
        not wait for its end; long rows that may not have those slots do not fill them."""
        self._traffic.note(tokens, is_long=line.is_long, now=self._clock())
        idle = self._num_slots - self._busy
        if idle <= 0:
            return
        if sum(line.queue.cells for line in self._ready()) >= self._max_cells * idle:
            self._fill()
        elif not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._fill)

    def release(self, line: Line[Any]) -> None:
        """A run of this line ended; the next begins."""
        self._busy -= 1
        self._num_long -= line.is_long
        self._fill()

    def _fill(self) -> None:
        self._is_scheduled = False
        while (line := self._next()) is not None:
            rows = line.take(self._share(line), now=self._clock())
            if rows:
                self._busy += 1
                self._num_long += line.is_long
                self._was_long = line.is_long
                self._executor.submit(line.work, line, rows, asyncio.get_running_loop())

    def _next(self) -> Line[Any] | None:
        """The line whose oldest row is the oldest of all that may run now."""
        allowed = [(row.job.submitted_at, line) for line in self._ready() if (row := line.queue.oldest()) is not None]
        return min(allowed, key=lambda pair: pair[0])[1] if allowed else None

    def _ready(self) -> Iterator[Line[Any]]:
        """The lines that have a row and may run one now."""
        return (line for line in self._lines if len(line.queue) and self._has_room(line))

    def _has_room(self, line: Line[Any]) -> bool:
        """Under load one batch more waits at the threads' own door, lest a slot stand idle while the event loop
        is busy. With so many rows waiting, those that come in the meantime would not have changed it."""
        may_stage = self._busy == self._num_slots and len(line.queue) >= MIN_ROWS_TO_STAGE
        return (self._busy < self._num_slots or may_stage) and (not line.is_long or self._may_run_long())

    def _may_run_long(self) -> bool:
        if self._num_slots == 1 and self._is_short_waiting():
            return not self._was_long
        return self._num_long < self._most_long()

    def _most_long(self) -> int:
        """How many runs of long rows there may be at once."""
        short_share = self._traffic.short_share(self._clock())
        expects_short = self._is_short_waiting() or short_share >= SHORT_SHARE_TO_KEEP_A_SLOT
        return max(1, self._num_slots - 1) if expects_short else self._num_slots

    def _is_short_waiting(self) -> bool:
        return any(len(line.queue) for line in self._lines if not line.is_long)

    def _share(self, line: Line[Any]) -> int:
        """Cells for the next batch: what waits is split among the idle slots, down to a few rows each."""
        idle = self._num_slots - self._busy
        if line.is_long:
            idle = min(idle, self._most_long() - self._num_long)
        idle = max(1, idle)
        if len(line.queue) < MIN_ROWS_TO_SPLIT * idle:
            return self._max_cells
        return min(self._max_cells, -(-line.queue.cells // idle))

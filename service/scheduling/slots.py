"""The threads that run models, shared by all of them, and which rows run next."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from service.scheduling.lag import LoopLag
from service.scheduling.lines import Line
from service.scheduling.prediction import Inflow, completion_seconds
from service.scheduling.virtual_time import Priority, VirtualClock

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


@dataclass(frozen=True, slots=True)
class Run:
    """Under way, or at the threads' door."""

    begun_at: float
    seconds: float  # that it should take

    def seconds_left(self, now: float) -> float:
        return max(0.0, self.begun_at + self.seconds - now)


class Slots:
    """So many runs at once, of whichever model. An idle slot takes the row that waits with the least virtual time of
    all models, and its like.

    Long rows may not hold the last slot as long as short ones wait or are a good part of what comes. Where there
    is one slot only, a run of short rows that wait comes between any two long runs. Nothing else passes a long row
    over because of its length: once it is the oldest it starts when a long run ends or, on a single slot, after the
    next run of short rows: the first is the one with the least virtual time.

    Where rows wait beside lines that take turns, one kind starts after the other, whatever their age: neither a long
    text that is translated nor a backlog of rows keeps the other from the slots.

    All methods belong to the event loop's thread; ``num_idle`` and ``is_wanted`` may be read from any.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        num_slots: int,
        max_cells: int,
        lag: LoopLag | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.num_slots = num_slots
        self.is_wanted = False  # somebody waits for a slot, and none is idle
        self.clock = VirtualClock()  # of all rows, whichever their line
        self._executor = executor
        self._max_cells = max_cells
        self._lag = lag
        self._clock = clock
        self._lines: list[Line] = []
        self._runs: dict[Line, deque[Run]] = {}
        self._inflow = Inflow()
        self._busy = 0
        self._num_long = 0  # of the busy ones
        self._was_long = False  # the run that was started last
        self._was_turn = False  # likewise
        self._traffic = Traffic()
        self._is_scheduled = False

    @property
    def num_idle(self) -> int:
        return max(0, self.num_slots - self._busy)

    def add(self, line: Line) -> None:
        """Serve this line too."""
        self._lines.append(line)
        self._runs[line] = deque()

    def remove(self, line: Line) -> None:
        """Forget this line; nothing of it waits. A run of it that goes on is released as always."""
        self._lines.remove(line)
        self._runs.pop(line, None)

    @property
    def overhead_seconds(self) -> float:
        """What the event loop adds to every request."""
        return 0.0 if self._lag is None else self._lag.allowance_seconds

    @property
    def is_idle(self) -> bool:
        """Who comes now begins at once."""
        return self.num_idle > 0 and not any(line.num_waiting for line in self._lines)

    def wait_seconds(self, *, is_long: bool, offset: float = 0.0) -> float:
        """About how long a row waits that comes now, so much later by virtual time, if nothing came after it."""
        time = self.clock.now + offset
        running = self._running_seconds() if not self.num_idle else 0.0
        short_seconds = long_seconds = 0.0
        for line in self._lines:
            if line.is_long:
                long_seconds += line.seconds_before(time)
            else:
                short_seconds += line.seconds_before(time)
        if not is_long:
            return running / self.num_slots + short_seconds / max(1, self.num_slots - self._num_long)
        all_seconds = running + short_seconds + long_seconds
        return max(all_seconds / self.num_slots, long_seconds / self._most_long())

    def completion_seconds(self, line: Line, *, cells: int, offset: float, priority: Priority) -> float:
        """About how long it takes until a request that comes now is answered: so many cells, the last row of which
        stands so much later by virtual time. It may have all slots, and shares them with all that wait and come."""
        shares = self.clock.shares + priority.share
        return completion_seconds(
            ahead=self.wait_seconds(is_long=line.is_long, offset=offset),
            own=max(line.seconds_for(cells) / self.num_slots, self._last_run_seconds(line, cells)),
            inflow=self._inflow.share_before(offset, now=self._clock()),
            if_steady=line.seconds_for(offset * shares) / self.num_slots,
        )

    def _last_run_seconds(self, line: Line, cells: int) -> float:
        """A row is answered when its run ends, and while others wait that is filled with them."""
        return line.seconds_for(min(self._max_cells, line.cells + cells))

    def _running_seconds(self) -> float:
        now = self._clock()
        return sum(run.seconds_left(now) for runs in self._runs.values() for run in runs)

    def arrived(self, line: Line, *, tokens: int, offset: float = 0.0) -> None:
        """Rows of so many tokens were queued, the last of a request at this offset. Form batches once all that is
        ready now has been queued too: no timer, only the loop's next turn. A turn in which many requests are read is
        long, so what fills the idle slots does not wait for its end; long rows that may not have those slots do not
        fill them."""
        now = self._clock()
        self._traffic.note(tokens, is_long=line.is_long, now=now)
        self._inflow.note(line.seconds_for(tokens) / self.num_slots, offset=offset, now=now)
        if not self.num_idle:
            self.is_wanted = self._is_slot_wanted()
        elif sum(line.cells for line in self._ready()) >= self._max_cells * self.num_idle:
            self._fill()
        elif not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._fill)

    def release(self, line: Line) -> None:
        """A run of this line ended; the next begins. Of several of a line the first to begin is taken for it."""
        self._busy -= 1
        if runs := self._runs.get(line):  # which it may have left meanwhile
            runs.popleft()
        self._num_long -= line.is_long
        self._fill()

    def _fill(self) -> None:
        self._is_scheduled = False
        while (line := self._next()) is not None:
            now, cells = self._clock(), line.cells
            taken = line.take(self._share(line), now=now)
            if taken:
                self._runs[line].append(Run(now, line.seconds_for(cells - line.cells)))
                self._busy += 1
                self._num_long += line.is_long
                self._was_long, self._was_turn = line.is_long, line.takes_turns
                self._executor.submit(line.work, line, taken, asyncio.get_running_loop())
        self.is_wanted = not self.num_idle and self._is_slot_wanted()

    def _next(self) -> Line | None:
        """Of all that may run now the line whose turn it is; if both kinds wait, of that which did not start last."""
        allowed = [(rank, line) for line in self._ready() if (rank := line.rank) is not None]
        other = [(rank, line) for rank, line in allowed if line.takes_turns != self._was_turn]
        return min(other or allowed, key=lambda pair: pair[0])[1] if allowed else None

    def _is_slot_wanted(self) -> bool:
        """Whether to end a turn would do anybody any good."""
        return any(line.needs_slot for line in self._lines if not line.is_long or self._may_run_long())

    def _ready(self) -> Iterator[Line]:
        """The lines that have a row and may run one now."""
        return (line for line in self._lines if line.num_waiting and self._has_room(line))

    def _has_room(self, line: Line) -> bool:
        """Under load one batch more waits at the threads' own door, lest a slot stand idle while the event loop
        is busy. With so many rows waiting, those that come in the meantime would not have changed it. But it would
        pass over one that waits for a turn."""
        may_stage = self._busy == self.num_slots and line.num_waiting >= MIN_ROWS_TO_STAGE and not self._is_turn_due()
        return (self._busy < self.num_slots or may_stage) and (not line.is_long or self._may_run_long())

    def _may_run_long(self) -> bool:
        if self.num_slots == 1 and self._is_short_waiting():
            return not self._was_long
        return self._num_long < self._most_long()

    def _most_long(self) -> int:
        """How many runs of long rows there may be at once."""
        short_share = self._traffic.short_share(self._clock())
        expects_short = self._is_short_waiting() or short_share >= SHORT_SHARE_TO_KEEP_A_SLOT
        return max(1, self.num_slots - 1) if expects_short else self.num_slots

    def _is_short_waiting(self) -> bool:
        return any(line.num_waiting for line in self._lines if not line.is_long)

    def _is_turn_due(self) -> bool:
        return any(line.needs_slot for line in self._lines if line.takes_turns)

    def _share(self, line: Line) -> int:
        """Cells for the next batch: what waits is split among the idle slots, down to a few rows each."""
        idle = self.num_slots - self._busy
        if line.is_long:
            idle = min(idle, self._most_long() - self._num_long)
        idle = max(1, idle)
        if line.num_waiting < MIN_ROWS_TO_SPLIT * idle:
            return self._max_cells
        return min(self._max_cells, -(-line.cells // idle))

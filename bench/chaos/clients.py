"""The well-behaved: they come when they come, keep their connections alive, and read every answer to its end."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.chaos.asks import Ask, Reply, draw_headers
from bench.chaos.clock import now
from bench.chaos.records import Entry, close
from bench.chaos.wire import BrokenError, Connection
from bench.client import Address

PATIENCE_SECONDS = 75.0  # longer than the proxy's
MAX_IDLE = 24  # connections kept for later, through each target


@dataclass(slots=True, kw_only=True, eq=False)
class Target:
    """An address that takes requests, and its idle connections."""

    name: str
    address: Address
    weight: float
    is_open: bool = True  # well-behaved callers do not knock where a restart is announced
    idle: deque[Connection] = field(default_factory=deque)

    async def connection(self) -> Connection:
        while self.idle:
            if (connection := self.idle.pop()).is_usable:
                return connection
            connection.close()
        return await Connection.open(self.address)

    def keep(self, connection: Connection) -> None:
        self.idle.append(connection)
        if len(self.idle) > MAX_IDLE:
            self.idle.popleft().close()

    def hang_up(self) -> None:
        while self.idle:
            self.idle.pop().close()


class Clients:
    """Any number of callers, and the records of what became of their requests."""

    def __init__(self, targets: Sequence[Target], right: Mapping[Ask, Reply], *, seed: int) -> None:
        self.targets = targets
        self.entries: list[Entry] = []
        self._right = right
        self._asks = list(right)
        self._draw = random.Random(seed)
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()

    async def pace(self, rate: float, *, seconds: float = float("inf")) -> None:
        """Send ``rate`` requests a second on average, at moments of chance, answered or not."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        end = due + seconds
        while (due := due + self._draw.expovariate(rate)) < end:
            await asyncio.sleep(max(0.0, due - loop.time()))
            task = asyncio.create_task(self.ask())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def saturate(self, num_callers: int, *, seconds: float) -> float:
        """The answers a second when so many callers ask again as soon as they are answered."""
        num_before, end = len(self.entries), now() + seconds

        async def caller() -> None:
            while now() < end:
                await self.ask()

        started = now()
        await asyncio.gather(*(caller() for _ in range(num_callers)))
        return (len(self.entries) - num_before) / (now() - started)

    async def ask(self) -> None:
        """One request drawn by chance, and its entry."""
        ask, headers = self._draw.choice(self._asks), draw_headers(self._draw)
        open_targets = [target for target in self.targets if target.is_open]
        [target] = self._draw.choices(open_targets, [target.weight for target in open_targets])
        entry = Entry(
            request_id=f"chaos-{next(self._numbers)}",
            name=ask.name,
            target=target.name,
            sent_at=now(),
            has_deadline=bool(headers),
            pinned=ask.pinned,
        )
        self.entries.append(entry)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._exchange(entry, target, ask, headers)
        except TimeoutError:
            entry.ended_at, entry.detail = now(), "no answer in time"
        except (BrokenError, OSError) as error:
            entry.ended_at, entry.detail = now(), str(error) or type(error).__name__

    async def _exchange(self, entry: Entry, target: Target, ask: Ask, headers: Mapping[str, str]) -> None:
        connection = await target.connection()
        try:
            answer = await connection.ask(ask.encode(entry.request_id, headers))
        except BaseException:
            connection.close()
            raise
        close(entry, answer, self._right[ask], at=now())
        if answer.keep_alive:
            target.keep(connection)
        else:
            connection.close()

    def ask_for(self, model: str) -> Ask:
        """A short one that this model answers without being named."""
        return next(ask for ask, reply in self._right.items() if reply.model == model)

    async def finish(self) -> None:
        """Wait for every answer that is still due, then close all connections."""
        await asyncio.gather(*self._tasks)
        for target in self.targets:
            target.hang_up()

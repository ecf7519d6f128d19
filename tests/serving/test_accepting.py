"""Who of several takes a connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from service.serving.accepting import ABSENT, Loads, TurnTaking, take_turns
from service.serving.sockets import bind, listen
from tests.running import PATIENCE_SECONDS


class Connected(asyncio.Protocol):
    """Is in ``connections`` as long as it is open."""

    def __init__(self, connections: set[asyncio.Protocol]) -> None:
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)


class Shared:
    """A port, and what those who accept there have in common."""

    def __init__(self, *, num_workers: int) -> None:
        [self.socket] = bind("127.0.0.1", 0)
        listen([self.socket])
        self.address = self.socket.getsockname()
        self.loads = Loads(num_workers)
        self.connections: dict[int, set[asyncio.Protocol]] = {}
        self.workers: list[TurnTaking] = []

    async def join(self, number: int) -> None:
        """A worker with a descriptor of its own, as after a fork."""
        connections = self.connections[number] = set()
        worker = await take_turns(
            self.socket.dup(), lambda: Connected(connections), connections, loads=self.loads, number=number
        )
        self.workers.append(worker)

    async def connect(self) -> socket.socket:
        """Accepted when it returns."""
        before = self.num_connections
        caller = socket.create_connection(self.address)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.num_connections == before:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        return caller

    @property
    def num_connections(self) -> int:
        return sum(map(len, self.connections.values()))

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
            worker.close()
        self.socket.close()


@pytest.fixture
def shared() -> Iterator[Shared]:
    made = Shared(num_workers=2)
    yield made
    made.close()


def test_connections_go_to_the_one_who_has_the_fewest(shared: Shared) -> None:
    async def scenario() -> None:
        await shared.join(1)
        callers = [await shared.connect() for _ in range(3)]
        await shared.join(2)
        callers += [await shared.connect() for _ in range(5)]
        assert [len(connections) for connections in shared.connections.values()] == [4, 4]
        for caller in callers:
            caller.close()
        shared.close()

    asyncio.run(scenario())


def test_who_has_fewer_and_does_not_come_is_not_waited_for(shared: Shared) -> None:
    async def scenario() -> None:
        await shared.join(1)
        shared.loads.record(2, 0)  # busy for ever
        callers = [await shared.connect() for _ in range(3)]
        assert len(shared.connections[1]) == 3
        for caller in callers:
            caller.close()
        shared.close()

    asyncio.run(scenario())


def test_who_has_left_counts_no_more() -> None:
    loads = Loads(3)
    assert loads.least == ABSENT
    loads.record(1, 7)
    loads.record(3, 2)
    assert loads.least == 2
    loads.leave(3)
    assert loads.least == 7

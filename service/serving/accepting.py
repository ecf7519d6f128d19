"""Accepts connections on a socket that several workers share, so that each goes to the worker with the fewest.

Otherwise the first worker to wake takes all that wait, and a client with four kept-alive connections may have one
worker work for it while the others idle.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import socket
from collections.abc import Callable, Sized
from errno import EMFILE, ENFILE

PAUSE_SECONDS = 0.002  # for workers with fewer connections to accept first; a busy one misses its turn
NO_FILES_SECONDS = 0.5  # before the next try, if this process may open no more files
ABSENT = 2**31 - 1
_log = logging.getLogger(__name__)

MakeProtocol = Callable[[], asyncio.Protocol]


async def take_turns(
    sock: socket.socket, make_protocol: MakeProtocol, connections: Sized, *, loads: Loads, number: int
) -> TurnTaking:
    """Accept connections for the worker with this number."""
    return TurnTaking(sock, make_protocol, connections, loads=loads, number=number)


class Loads:
    """Numbers of connections of all workers. Made before the fork, in memory that all of them share."""

    def __init__(self, num_workers: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * num_workers)).cast("i")
        for number in range(1, num_workers + 1):
            self.leave(number)

    def record(self, number: int, count: int) -> None:
        """Record the connections of the worker with this number, from 1 on."""
        self._counts[number - 1] = count

    def leave(self, number: int) -> None:
        """Record that a worker accepts no more, or is dead."""
        self._counts[number - 1] = ABSENT

    @property
    def least(self) -> int:
        return min(self._counts)


class TurnTaking:
    """Accepts for one worker, one connection at a time, and lets workers go first that have fewer."""

    def __init__(
        self, sock: socket.socket, make_protocol: MakeProtocol, connections: Sized, *, loads: Loads, number: int
    ) -> None:
        self._socket = sock
        self._make_protocol = make_protocol
        self._connections = connections  # that are open
        self._loads = loads
        self._number = number
        self._opening: set[asyncio.Task[object]] = set()
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._socket.setblocking(False)
        self._note()
        self._loop.add_reader(self._socket, self._on_waiting)

    def close(self) -> None:
        """Stop accepting. May be called twice."""
        self._loads.leave(self._number)
        if self._pause is not None:
            self._pause.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _on_waiting(self) -> None:
        if self._note() > self._loads.least:
            self._rest(PAUSE_SECONDS)
        else:
            self._accept()

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._socket)
        self._pause = self._loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        """Accept after a pause: the workers with fewer connections did not come."""
        self._loop.add_reader(self._socket, self._on_waiting)
        self._accept()

    def _accept(self) -> None:
        try:
            accepted, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was quicker, or the caller has left
        except OSError as error:
            if error.errno not in {EMFILE, ENFILE}:
                raise
            _log.error("no connection can be accepted: too many open files")
            self._rest(NO_FILES_SECONDS)
            return
        accepted.setblocking(False)
        opening = self._loop.create_task(self._loop.connect_accepted_socket(self._make_protocol, accepted))
        self._opening.add(opening)
        opening.add_done_callback(self._on_opened)
        self._note()

    def _on_opened(self, opening: asyncio.Task[object]) -> None:
        self._opening.discard(opening)
        if not opening.cancelled():
            opening.exception()  # a caller who left at once is no news

    def _note(self) -> int:
        count = len(self._connections) + len(self._opening)
        self._loads.record(self._number, count)
        return count

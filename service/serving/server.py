"""Applications on their sockets, from the first connection to the last answer. Of uvicorn, what is not connections."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import uvicorn

from service.api.connection_limits import DEFAULT_LIMITS
from service.api.connections import Connection, connections_within
from service.scheduling.admission import Door, Phase
from service.serving.accepting import MakeProtocol
from service.serving.sockets import BACKLOG
from service.serving.stopping import Stop

DRAIN_TICK_SECONDS = 0.02
KEEP_ALIVE_SECONDS = 75  # longer than the 60 s of common proxies, or they would write to a closed connection
CANCEL_SECONDS = 1.0  # for what was not done in time to notice that it is cancelled
_log = logging.getLogger("service")


class Entrance(Protocol):
    """Where connections are accepted until it is closed, and the socket with it."""

    def close(self) -> None: ...


Accept = Callable[[socket.socket, MakeProtocol, Sized], Awaitable[Entrance]]  # and the connections that are open


async def accept_all(sock: socket.socket, make_protocol: MakeProtocol, connections: Sized) -> Entrance:
    """As they come."""
    return await asyncio.get_running_loop().create_server(make_protocol, sock=sock, backlog=BACKLOG)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listener:
    """An application and the sockets where it is found, which listen already."""

    app: Any  # ASGI
    sockets: Sequence[socket.socket]
    accept: Accept = accept_all
    # What is made of each connection that is accepted.
    connections: type[Connection] = field(default_factory=lambda: connections_within(DEFAULT_LIMITS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the way out may take."""

    lame_duck_seconds: float  # not ready, but those who have not noticed yet are answered
    grace_seconds: float  # afterwards, for what is inside

    @property
    def seconds(self) -> float:
        return self.lame_duck_seconds + self.grace_seconds


class Server:
    """Serves several applications in one process, behind one door, until it is told to stop.

    Accepts from the start: until it is ready it says so.
    """

    def __init__(self, listeners: Sequence[Listener], *, door: Door, patience: Patience, stop: Stop) -> None:
        self._fronts = [Front(listener) for listener in listeners]
        self._door = door
        self._patience = patience
        self._stop = stop

    def run(self, on_ready: Callable[[], None], *, lines: Sequence[socket.socket] = ()) -> int:
        """The process's exit status: 0 after a drain, 1 if it could not start. ``on_ready`` is called once the door
        is open. That one of the ``lines`` closes tells it to stop."""
        with asyncio.Runner(loop_factory=self._fronts[0].config.get_loop_factory()) as runner:
            runner.run(self._serve(on_ready, lines))
        return 1 if self._door.phase is Phase.FAILED else 0

    async def _serve(self, on_ready: Callable[[], None], lines: Sequence[socket.socket]) -> None:
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        for line in lines:
            loop.add_reader(line, self._on_closed, line)

        def tell() -> None:
            loop.call_soon_threadsafe(self._leave, told)

        self._stop.listen(tell)
        for front in self._fronts:
            await front.start()
        if await self._opened() is Phase.READY:
            on_ready()
            await told.wait()
            await self._drain()
        for front in self._fronts:
            await front.close()

    async def _opened(self) -> Phase:
        """How the start ended."""
        await self._accept()
        return await self._door.decided()

    async def _accept(self) -> None:
        for front in self._fronts:
            await front.accept()

    def _on_closed(self, line: socket.socket) -> None:
        """Nobody says anything into it."""
        asyncio.get_running_loop().remove_reader(line)
        self._stop.tell()

    def _leave(self, told: asyncio.Event) -> None:
        """At once: between this and the drain the loop may have other work."""
        if not told.is_set():
            _log.info("stopping", extra={"inside": self._door.inside})
        self._door.leave()
        told.set()

    async def _drain(self) -> None:
        """Each front is open until what is inside is done; a caller who is still sending is not."""
        await asyncio.sleep(self._patience.lame_duck_seconds)
        self._door.close()
        latest = time.monotonic() + self._patience.grace_seconds
        await _until(lambda: not any(front.owes for front in self._fronts), latest=latest)
        for front in self._fronts:
            front.hang_up()
        await _until(lambda: not any(front.is_busy for front in self._fronts), latest=latest)


class WorkerServer(Server):
    """One of several on the same sockets. Accepts only when it is ready: until then the others answer, or callers wait
    a moment for the first."""

    async def _opened(self) -> Phase:
        phase = await self._door.decided()
        if phase is Phase.READY:
            await self._accept()
        return phase


class Front(uvicorn.Server):
    """uvicorn for one application, without its signals and with an end that waits for nobody who is idle."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(_config(listener))
        self._listener = listener
        self._entrances: list[Entrance] = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are the server's."""
        yield

    async def start(self) -> None:
        """Everything but the sockets."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup([])
        self._ticking = asyncio.create_task(self.main_loop())

    async def accept(self) -> None:
        """Connections, from now on."""
        connections = self.server_state.connections
        for sock in self._listener.sockets:
            self._entrances.append(await self._listener.accept(sock, self._make_protocol, connections))

    def _make_protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    @property
    def _connections(self) -> list[Connection]:
        """Those that are open."""
        return cast("list[Connection]", list(self.server_state.connections))

    @property
    def owes(self) -> bool:
        """Whether somebody has sent a whole request and not been answered."""
        return any(connection.owes for connection in self._connections)

    @property
    def is_busy(self) -> bool:
        """Whether a connection is open or a request is in the making."""
        return bool(self.server_state.connections or self.server_state.tasks)

    def hang_up(self) -> None:
        """Accept no more, and close every connection: once its answer has been sent, if it has asked for one."""
        for entrance in self._entrances:
            entrance.close()
        for connection in self._connections:
            connection.shutdown()
            if not connection.owes:
                connection.transport.close()

    async def close(self) -> None:
        """Whatever is not done is given up."""
        self.hang_up()
        if self.server_state.tasks:
            _log.warning("given up", extra={"requests": len(self.server_state.tasks)})
            self._break_off()
            await asyncio.sleep(0)  # which they notice
        for task in self.server_state.tasks:
            task.cancel()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=CANCEL_SECONDS)
        for connection in self._connections:
            connection.transport.abort()
        self._ticking.cancel()
        await self.lifespan.shutdown()

    def _break_off(self) -> None:
        """Answers that have begun; of the others there may still be one, a refusal."""
        for connection in self._connections:
            if connection.is_answering:
                connection.transport.abort()


async def _until(is_so: Callable[[], bool], *, latest: float) -> None:
    """uvicorn's connections tell nobody when they are done."""
    while not is_so():
        if time.monotonic() >= latest:
            return
        await asyncio.sleep(DRAIN_TICK_SECONDS)


def _config(listener: Listener) -> uvicorn.Config:
    return uvicorn.Config(
        listener.app,
        loop="uvloop",
        http=listener.connections,
        lifespan="on",
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # uvicorn would believe X-Forwarded-For from 127.0.0.1: whom to believe is a setting here
        ws="none",
    )

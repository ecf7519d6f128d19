"""Server: runs applications on their sockets, from the first connection to the last answer, with uvicorn's parts."""

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
from service.lifecycle import Lifecycle, Phase
from service.serving.accepting import MakeProtocol
from service.serving.sockets import BACKLOG
from service.serving.stopping import StopSignal

DRAIN_TICK_SECONDS = 0.02
KEEP_ALIVE_SECONDS = 75  # longer than the 60 s of common proxies, or they would write to a closed connection
CANCEL_SECONDS = 1.0  # for late requests to notice that they are cancelled
_log = logging.getLogger("service")


class Acceptor(Protocol):
    """Accepts connections on a socket until it is closed, and the socket with it."""

    def close(self) -> None: ...


Accept = Callable[[socket.socket, MakeProtocol, Sized], Awaitable[Acceptor]]  # and the connections that are open


async def accept_all(sock: socket.socket, make_protocol: MakeProtocol, connections: Sized) -> Acceptor:
    """Accept all connections as they come."""
    return await asyncio.get_running_loop().create_server(make_protocol, sock=sock, backlog=BACKLOG)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listener:
    """An application and its sockets, which listen already."""

    app: Any  # ASGI
    sockets: Sequence[socket.socket]
    accept: Accept = accept_all
    # The protocol of accepted connections.
    connections: type[Connection] = field(default_factory=lambda: connections_within(DEFAULT_LIMITS))


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainTimeouts:
    """Limits of the time that stopping may take."""

    lame_duck_seconds: float  # not ready, but requests of callers who have not noticed yet are answered
    grace_seconds: float  # afterwards, for requests in flight

    @property
    def seconds(self) -> float:
        return self.lame_duck_seconds + self.grace_seconds


class Server:
    """Serves several applications in one process, with one lifecycle, until it is told to stop.

    It accepts connections from the start: until the service is ready, it answers that it is not.
    """

    def __init__(
        self, listeners: Sequence[Listener], *, lifecycle: Lifecycle, drain_timeouts: DrainTimeouts, stop: StopSignal
    ) -> None:
        self._app_servers = [AppServer(listener) for listener in listeners]
        self._lifecycle = lifecycle
        self._drain_timeouts = drain_timeouts
        self._stop = stop

    def run(self, on_ready: Callable[[], None], *, pipes: Sequence[socket.socket] = ()) -> int:
        """Serve and return the exit status: 0 after a drain, 1 if the service could not start. ``on_ready`` is called
        once it is ready. The server stops when one of ``pipes`` closes."""
        with asyncio.Runner(loop_factory=self._app_servers[0].config.get_loop_factory()) as runner:
            runner.run(self._serve(on_ready, pipes))
        return 1 if self._lifecycle.phase is Phase.FAILED else 0

    async def _serve(self, on_ready: Callable[[], None], pipes: Sequence[socket.socket]) -> None:
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        for pipe in pipes:
            loop.add_reader(pipe, self._on_closed, pipe)

        def tell() -> None:
            loop.call_soon_threadsafe(self._leave, told)

        self._stop.listen(tell)
        for app_server in self._app_servers:
            await app_server.start()
        if await self._opened() is Phase.READY:
            on_ready()
            await told.wait()
            await self._drain()
        for app_server in self._app_servers:
            await app_server.close()

    async def _opened(self) -> Phase:
        """Wait for the end of the start, and return the phase."""
        await self._accept()
        return await self._lifecycle.decided()

    async def _accept(self) -> None:
        for app_server in self._app_servers:
            await app_server.accept()

    def _on_closed(self, pipe: socket.socket) -> None:
        """Stop because a pipe has closed: nothing is ever written into one."""
        asyncio.get_running_loop().remove_reader(pipe)
        self._stop.tell()

    def _leave(self, told: asyncio.Event) -> None:
        """Stop reporting that the service is ready, at once: before the drain begins the loop may have other work."""
        if not told.is_set():
            _log.info("stopping", extra={"inside": self._lifecycle.in_flight})
        self._lifecycle.leave()
        told.set()

    async def _drain(self) -> None:
        """Stop: connections stay open until their requests are answered; callers who are still sending are cut off."""
        await asyncio.sleep(self._drain_timeouts.lame_duck_seconds)
        self._lifecycle.close()
        latest = time.monotonic() + self._drain_timeouts.grace_seconds
        await _until(lambda: not any(app_server.owes for app_server in self._app_servers), latest=latest)
        for app_server in self._app_servers:
            app_server.hang_up()
        await _until(lambda: not any(app_server.is_busy for app_server in self._app_servers), latest=latest)


class WorkerServer(Server):
    """Server of one worker of several on the same sockets. It accepts only when it is ready: until then other workers
    answer, or callers wait a moment for the first."""

    async def _opened(self) -> Phase:
        phase = await self._lifecycle.decided()
        if phase is Phase.READY:
            await self._accept()
        return phase


class AppServer(uvicorn.Server):
    """Server of one application: uvicorn's, without its signal handlers and without its wait for idle connections."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(_config(listener))
        self._listener = listener
        self._acceptors: list[Acceptor] = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle no signals: the process does."""
        yield

    async def start(self) -> None:
        """Start everything but the sockets."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup([])
        self._ticking = asyncio.create_task(self.main_loop())

    async def accept(self) -> None:
        """Accept connections from now on."""
        connections = self.server_state.connections
        for sock in self._listener.sockets:
            self._acceptors.append(await self._listener.accept(sock, self._make_protocol, connections))

    def _make_protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    @property
    def _connections(self) -> list[Connection]:
        """Open connections."""
        return cast("list[Connection]", list(self.server_state.connections))

    @property
    def owes(self) -> bool:
        """Whether a whole request has come that is not answered yet."""
        return any(connection.owes for connection in self._connections)

    @property
    def is_busy(self) -> bool:
        """Whether a connection is open or a request is in the making."""
        return bool(self.server_state.connections or self.server_state.tasks)

    def hang_up(self) -> None:
        """Accept no more, and close every connection: once its answer has been sent, if it has asked for one."""
        for acceptor in self._acceptors:
            acceptor.close()
        for connection in self._connections:
            connection.shutdown()
            if not connection.owes:
                connection.transport.close()

    async def close(self) -> None:
        """End now, giving up requests that are not answered."""
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
        """Abort answers that have begun; other requests may still be answered by a refusal."""
        for connection in self._connections:
            if connection.is_answering:
                connection.transport.abort()


async def _until(is_so: Callable[[], bool], *, latest: float) -> None:
    """Wait until a condition holds, by polling: uvicorn's connections do not report when they are done."""
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

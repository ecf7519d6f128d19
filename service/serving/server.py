"""Server: runs applications on their sockets, from the first connection to the last answer, with uvicorn's parts."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import uvicorn

from service.errors import ServiceError
from service.lifecycle import Lifecycle, Phase
from service.serving.direct import Refuse
from service.serving.limits import ConnectionLimits
from service.serving.protocol import Connection
from service.serving.signals import StopSignal
from service.serving.sockets import BACKLOG, Sockets
from service.serving.supervisor import HEARTBEAT_SECONDS, WorkerContext

DRAIN_TICK_SECONDS = 0.02
MIN_LAME_DUCK_SECONDS = 0.1  # connections that wait to be accepted would be reset when the sockets are closed
KEEP_ALIVE_SECONDS = 75  # longer than the 60 s of common proxies, or they would write to a closed connection
CANCEL_SECONDS = 1.0  # for late requests to notice that they are cancelled
DEFAULT_LIMITS = ConnectionLimits()
TICKS_PER_CHECK = 10  # of uvicorn's, ten a second
_log = logging.getLogger("service")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listener:
    """An application and its sockets, which listen already, with the limits of their connections."""

    app: Any  # ASGI
    sockets: Sockets
    limits: ConnectionLimits = DEFAULT_LIMITS
    count: Callable[[ServiceError], None] = lambda _: None  # called with refusals that have no request context
    refuse: Refuse = lambda *_: None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainTimeouts:
    """Limits of the time that stopping may take."""

    lame_duck_seconds: float  # not ready, but requests of callers who have not noticed yet are answered
    grace_seconds: float  # afterwards, for requests in flight

    @property
    def seconds(self) -> float:
        return self.lame_duck_seconds + self.grace_seconds


class Server:
    """Serves several applications in one process, with one lifecycle, until it is asked to stop.

    It accepts connections from the start: until the service is ready, it answers that it is not.
    """

    def __init__(
        self, listeners: Sequence[Listener], *, lifecycle: Lifecycle, drain_timeouts: DrainTimeouts, stop: StopSignal
    ) -> None:
        self._app_servers = [AppServer(listener) for listener in listeners]
        self._lifecycle = lifecycle
        self._drain_timeouts = drain_timeouts
        self._stop = stop

    def run(self, on_ready: Callable[[], None]) -> int:
        """Serve and return the exit status: 0 after a drain, 1 if the service could not start. ``on_ready`` is called
        once it is ready."""
        with asyncio.Runner(loop_factory=self._app_servers[0].config.get_loop_factory()) as runner:
            runner.run(self._serve(on_ready))
        return 1 if self._lifecycle.phase is Phase.FAILED else 0

    async def _serve(self, on_ready: Callable[[], None]) -> None:
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        self._stop.add_listener(partial(loop.call_soon_threadsafe, self._leave, stopping))
        for app_server in self._app_servers:
            await app_server.start()
        if await self._open() is Phase.READY:
            on_ready()
            await stopping.wait()
            await self._drain()
        for app_server in self._app_servers:
            await app_server.close()

    async def _open(self) -> Phase:
        """Wait for the end of the start, and return the phase."""
        await self._accept()
        return await self._lifecycle.decided()

    async def _accept(self) -> None:
        for app_server in self._app_servers:
            await app_server.accept()

    def _leave(self, stopping: asyncio.Event) -> None:
        """Stop reporting that the service is ready, at once: before the drain begins the loop may have other work."""
        if not stopping.is_set():
            _log.info("stopping", extra={"inside": self._lifecycle.in_flight})
        self._lifecycle.leave()
        stopping.set()

    async def _drain(self) -> None:
        """Stop: connections stay open until their requests are answered; callers who are still sending are cut off."""
        await asyncio.sleep(max(MIN_LAME_DUCK_SECONDS, self._drain_timeouts.lame_duck_seconds))
        self._lifecycle.close()
        latest = time.monotonic() + self._drain_timeouts.grace_seconds
        await _until(lambda: not any(app_server.owes for app_server in self._app_servers), latest=latest)
        for app_server in self._app_servers:
            app_server.hang_up()
        await _until(lambda: not any(app_server.is_busy for app_server in self._app_servers), latest=latest)


class WorkerServer(Server):
    """Server of one worker of several on the same sockets.

    It accepts only when it is ready: until then other workers answer, or callers wait a moment for the first. Its event
    loop sends heartbeats to the supervisor, and it stops when that has died.
    """

    def __init__(self, *args: Any, context: WorkerContext, **kwargs: Any) -> None:
        super().__init__(*args, stop=context.stop, **kwargs)
        self._context = context

    async def _serve(self, on_ready: Callable[[], None]) -> None:
        heartbeat = asyncio.create_task(self._send_heartbeats())
        try:
            await super()._serve(on_ready)
        finally:
            heartbeat.cancel()

    async def _open(self) -> Phase:
        phase = await self._lifecycle.decided()
        if phase is Phase.READY:
            await self._accept()
        return phase

    async def _send_heartbeats(self) -> None:
        while True:
            self._context.send_heartbeat()
            if self._context.is_orphan:
                self._stop.request()
            await asyncio.sleep(HEARTBEAT_SECONDS)


class AppServer(uvicorn.Server):
    """Server of one application: uvicorn's, without its signal handlers and without its wait for idle connections."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(_config(listener.app))
        self._listener = listener

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
        """Accept connections from now on. The system ends those whose answers are not read."""
        for sock in self._listener.sockets:
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # accepted sockets inherit it
                milliseconds = max(1, int(1000 * self._listener.limits.answer_seconds))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
            loop = asyncio.get_running_loop()
            self.servers.append(await loop.create_server(self._make_protocol, sock=sock, backlog=BACKLOG))

    def _make_protocol(self) -> Connection:
        return Connection(
            self.config,
            self.server_state,
            self.lifespan.state,
            limits=self._listener.limits,
            count=self._listener.count,
            refuse=self._listener.refuse,
        )

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_PER_CHECK == 0:
            now = asyncio.get_running_loop().time()
            for connection in self.connections:
                connection.end_if_stalled(now)
        return await super().on_tick(counter)

    @property
    def connections(self) -> list[Connection]:
        """Open connections."""
        return cast("list[Connection]", list(self.server_state.connections))

    @property
    def owes(self) -> bool:
        """Whether a whole request has come that is not answered yet."""
        return any(connection.owes for connection in self.connections)

    @property
    def is_busy(self) -> bool:
        """Whether a connection is open or a request is in the making."""
        return bool(self.server_state.connections or self.server_state.tasks)

    def hang_up(self) -> None:
        """Accept no more, and close every connection: once its answer has been sent, if it has asked for one."""
        for server in self.servers:
            server.close()
        for connection in self.connections:
            connection.shutdown()

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
        for connection in self.connections:
            connection.transport.abort()
        self._ticking.cancel()
        await self.lifespan.shutdown()

    def _break_off(self) -> None:
        """Abort answers that have begun; other requests may still be answered by a refusal."""
        for connection in self.connections:
            if connection.is_answering:
                connection.transport.abort()


async def _until(is_so: Callable[[], bool], *, latest: float) -> None:
    """Wait until a condition holds, by polling: uvicorn's connections do not report when they are done."""
    while not is_so():
        if time.monotonic() >= latest:
            return
        await asyncio.sleep(DRAIN_TICK_SECONDS)


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # uvicorn would believe X-Forwarded-For from 127.0.0.1: whom to believe is a setting here
        ws="none",
    )

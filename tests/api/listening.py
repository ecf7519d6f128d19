"""The application on a port of this machine, with a fake session behind it: for tests that need bytes and sockets."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from service.api.connection_limits import ConnectionLimits
from service.api.connection_table import ConnectionTable
from service.api.connections import connections_within
from service.app import create_app
from service.serving.server import DrainTimeouts, Listener, Server
from service.serving.sockets import bind, listen
from service.serving.stopping import StopSignal
from tests.fakes import FakeSession, OpenFake, settings_for

PATIENCE_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server on a port of this machine."""

    port: int
    app: Any
    listener: socket.socket
    table: ConnectionTable
    session: FakeSession

    @contextmanager
    def call(self, sent: bytes = b"") -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as caller:
            caller.sendall(sent)
            yield caller

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False, timeout=PATIENCE_SECONDS)

    def errors(self, kind: str) -> float:
        found = re.search(rf'ribbon_errors_total{{kind="{kind}"}} (\S+)', self.get("/metrics").text)
        return float(found[1]) if found else 0.0


Run = Callable[..., Running]


def start(stack: ExitStack, models: Path, limits: ConnectionLimits | None = None, **choices: Any) -> Running:
    """Until the stack is closed. Without limits of their own connections have those of the settings."""
    settings, session = settings_for(models, **choices), FakeSession()
    app, sockets, stop = create_app(settings, open_session=OpenFake(session)), bind("127.0.0.1", 0), StopSignal()
    listen(sockets)
    connections = connections_within(
        limits or ConnectionLimits.of(settings), app.engine.metrics.count_problem, app.first_look
    )
    server = Server(
        [Listener(app=app, sockets=sockets, connections=connections)],
        lifecycle=app.lifecycle,
        drain_timeouts=DrainTimeouts(lame_duck_seconds=0, grace_seconds=1),
        stop=stop,
    )
    stack.enter_context(ThreadPoolExecutor(1)).submit(server.run, lambda: None)
    stack.callback(stop.tell)
    [listener] = sockets
    return Running(port=listener.getsockname()[1], app=app, listener=listener, table=connections.table, session=session)


def everything(caller: socket.socket) -> bytes:
    """Until the other side closes; a reset counts as closing."""
    received = b""
    try:
        while part := caller.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def request(path: str, **fields: Any) -> bytes:
    body = json.dumps(fields).encode()
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)

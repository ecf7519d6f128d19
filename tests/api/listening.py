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

from service.app import create_app
from service.serving.limits import ConnectionLimits
from service.serving.protocol import Connection
from service.serving.server import DrainTimeouts, Listener, Server
from service.serving.signals import StopSignal
from service.serving.sockets import bind, listen
from tests.fakes import FakeSession, OpenFake, settings_for

PATIENCE_SECONDS = 20
POST = b"POST /tag HTTP/1.1\r\nHost: x\r\n"  # the beginning of a head


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server on a port of this machine."""

    port: int
    app: Any
    listener: socket.socket
    server: Server
    session: FakeSession

    @property
    def connections(self) -> list[Connection]:
        """Those that are open."""
        return [each for app_server in self.server._app_servers for each in app_server.connections]

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
    limits = limits or ConnectionLimits.of(settings)
    server = Server(
        [Listener(app=app, sockets=sockets, limits=limits, count=app.engine.metrics.count_problem)],
        lifecycle=app.lifecycle,
        drain_timeouts=DrainTimeouts(lame_duck_seconds=0, grace_seconds=1),
        stop=stop,
    )
    stack.enter_context(ThreadPoolExecutor(1)).submit(server.run, lambda: None)
    stack.callback(stop.request)
    [listener] = sockets
    return Running(port=listener.getsockname()[1], app=app, listener=listener, server=server, session=session)


def everything(caller: socket.socket) -> bytes:
    """Until the other side closes; a reset counts as closing."""
    received = b""
    try:
        while part := caller.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def problem_in(received: bytes, status: int, kind: str) -> Any:
    """Return the problem document that ends a connection, after a look at its head."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), received
    assert b"\r\nconnection: close" in head.lower()
    assert b"application/problem+json" in head
    document = json.loads(body)
    assert (document["status"], document["kind"]) == (status, kind)
    assert document["request_id"].encode() in head
    return document


def request(path: str, **fields: Any) -> bytes:
    body = json.dumps(fields).encode()
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)


def read_answer(caller: socket.socket) -> tuple[int, dict[str, str], Any]:
    """The next one of this connection: status, headers, document."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        part = caller.recv(1)
        assert part, head
        head += part
    line, *lines = head.decode().strip().split("\r\n")
    headers = dict(each.split(": ", 1) for each in lines)
    left, body = int(headers["content-length"]), b""
    while len(body) < left:
        body += caller.recv(left - len(body))
    return int(line.split(" ")[1]), headers, json.loads(body)

"""The application on a port of this machine, with a fake session behind it: for tests that need bytes and sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from service.app import App, create_app
from service.lifecycle import Lifecycle, Phase
from service.serving.limits import ConnectionLimits
from service.serving.protocol import Connection
from service.serving.server import DrainTimeouts, Listener, Server
from service.serving.signals import StopSignal
from service.serving.sockets import bind, listen
from tests.application import START_SECONDS, wait_until
from tests.fakes import FakeSession, OpenFake, settings_for

PATIENCE_SECONDS = 20
AT_ONCE = DrainTimeouts(lame_duck_seconds=0, grace_seconds=1)
POST = b"POST /tag HTTP/1.1\r\nHost: x\r\n"  # the beginning of a head
GOOD_BODY = b'{"text": "a"}'
GOOD = POST + b"Content-Length: %d\r\n\r\n%b" % (len(GOOD_BODY), GOOD_BODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """A server on a port of this machine, on a thread of this process."""

    port: int
    app: App
    listener: socket.socket
    server: Server
    session: FakeSession
    stop: StopSignal
    status: Future[int]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def lifecycle(self) -> Lifecycle:
        return self.app.lifecycle

    @property
    def connections(self) -> list[Connection]:
        """Those that are open."""
        return [each for app_server in self.server._app_servers for each in app_server.connections]

    def ready(self) -> RunningServer:
        """The same, once it is."""
        wait_until(lambda: self.lifecycle.phase is Phase.READY, seconds=START_SECONDS)
        return self

    def hold(self) -> None:
        """From now on no run ends until the gate is opened."""
        self.session.gate.clear()
        self.session.shapes.clear()

    @contextmanager
    def full(self, headers: bytes = b"") -> Iterator[None]:
        """One run does not end before the block does, the queue is full, and somebody has been told so. Needs the
        settings ``FULL``."""
        self.hold()
        metrics = self.app.engine.metrics  # asked directly: where keys are needed they are for /metrics too

        def ask(text: str) -> int:
            with self.call(with_headers(request("/tag", text=text), headers)) as caller:
                return read_answer(caller)[0]

        with ThreadPoolExecutor(2) as pool:
            inside = [pool.submit(ask, "with")]
            wait_until(lambda: bool(self.session.shapes))
            inside.append(pool.submit(ask, "plays well with others"))
            wait_until(lambda: b"\nribbon_queue_rows 1.0" in metrics.render())
            try:
                assert ask("a") == 429
                yield
            finally:
                self.session.gate.set()
            assert [each.result() for each in inside] == [200, 200]

    @contextmanager
    def call(self, sent: bytes = b"") -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as caller:
            caller.sendall(sent)
            yield caller

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", trust_env=False, timeout=PATIENCE_SECONDS)

    def errors(self, kind: str) -> float:
        """How many of this kind were counted. Nothing is asked, so that a server may be watched that takes no more."""
        samples = (sample for family in self.app.engine.metrics.errors.collect() for sample in family.samples)
        return sum(each.value for each in samples if each.name.endswith("_total") and each.labels["kind"] == kind)


Run = Callable[..., RunningServer]
FULL = {"max_queued_cells": 3, "threads": 1}


def start(
    stack: ExitStack,
    models: Path,
    limits: ConnectionLimits | None = None,
    *,
    session: FakeSession | None = None,
    drain_timeouts: DrainTimeouts = AT_ONCE,
    **choices: Any,
) -> RunningServer:
    """Until the stack is closed. Without limits of their own connections have those of the settings."""
    settings, session = settings_for(models, **choices), session or FakeSession()
    app, sockets, stop = create_app(settings, open_session=OpenFake(session)), bind("127.0.0.1", 0), StopSignal()
    listen(sockets)
    limits = limits or ConnectionLimits.of(settings)
    count, refuse = app.engine.metrics.count_problem, app.load_shedder.refuse
    server = Server(
        [Listener(app=app, sockets=sockets, limits=limits, count=count, refuse=refuse)],
        lifecycle=app.lifecycle,
        drain_timeouts=drain_timeouts,
        stop=stop,
    )
    status = stack.enter_context(ThreadPoolExecutor(1)).submit(server.run, lambda: None)
    stack.callback(stop.request)
    stack.callback(session.gate.set)
    [listener] = sockets
    port = listener.getsockname()[1]
    return RunningServer(
        port=port, app=app, listener=listener, server=server, session=session, stop=stop, status=status
    )


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


def with_headers(sent: bytes, headers: bytes) -> bytes:
    """A request with further lines in its head, each with its end."""
    head, separator, rest = sent.partition(b"\r\n")
    return head + separator + headers + rest


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


def kinds_in(received: bytes) -> list[str]:
    """The kind of each problem document, in order."""
    return [part.split('"')[0] for part in received.decode().split('"kind":"')[1:]]

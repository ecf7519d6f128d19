"""A server that answers in no time, or in a time that is known."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from bench.client import Address

BODY = b"x" * 5000
Serve = Callable[[float], Address]


class Handler(socketserver.StreamRequestHandler):
    """Answers ``/tag`` in two pieces cut inside the head, and everything else with 429."""

    server: Server

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (field := self.rfile.readline()) != b"\r\n":
                name, _, value = field.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            time.sleep(self.server.seconds)
            self.answer(b"200 OK" if b"/tag" in line else b"429 Too Many Requests")

    def answer(self, status: bytes) -> None:
        head = b"HTTP/1.1 %s\r\nServer-Timing: queue;dur=0.1, model;dur=1.25\r\nContent-Length: %d\r\n\r\n"
        answer = head % (status, len(BODY)) + BODY
        for piece in (answer[:20], answer[20:]):
            self.wfile.write(piece)
            self.wfile.flush()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, seconds: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seconds = seconds

    def handle_error(self, request: object, client_address: object) -> None:
        """A saturating client leaves with answers still on their way."""


@contextmanager
def served(seconds: float) -> Iterator[Address]:
    with Server(seconds) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Address(host="127.0.0.1", port=server.server_address[1])
        server.shutdown()
        thread.join()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that takes so many seconds over every request."""
    with ExitStack() as stack:
        yield lambda seconds: stack.enter_context(served(seconds))


@pytest.fixture
def address(serve: Serve) -> Address:
    return serve(0.0)

"""Requests leave nothing behind that only the garbage collector could free: its visits hold up the event loop."""

from __future__ import annotations

import gc
import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.api.context import RequestContext
from service.scheduling.job import Job
from tests.application import wait_until
from tests.server import FULL, Run, RunningServer, read_answer, request

KINDS = (RequestResponseCycle, RequestContext, Job, BaseException)
OF_EACH = 10


@contextmanager
def without_collections() -> Iterator[Callable[[], Counter[str]]]:
    """What is yielded counts what came since, and is still there."""
    gc.collect()
    gc.disable()
    before = {id(each) for each in gc.get_objects()}

    def left() -> Counter[str]:
        return Counter(type(o).__name__ for o in gc.get_objects() if isinstance(o, KINDS) and id(o) not in before)

    try:
        yield left
    finally:
        gc.enable()


def ask(caller: socket.socket, sent: bytes) -> int:
    caller.sendall(sent)
    return read_answer(caller)[0]


def post(body: bytes, path: str = "/tag") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request("/tag", text="plays well"), 200),
        (request("/classify", text="plays well"), 200),
        (request("/translate", text="Me too.", target="es"), 200),
        (b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (post(b"{no json"), 400),
        (post(json.dumps({"text": 5}).encode()), 422),
        (request("/tag", text="a " * 5000), 200),
        (request("/tag", text="a " * 5000, strict=True), 422),
        (request("/tag", text="a", model="nobody"), 404),
    ],
)
def test_a_request_leaves_nothing(listening: RunningServer, sent: bytes, status: int) -> None:
    with listening.call() as caller:
        assert ask(caller, sent) == status
        with without_collections() as left:
            assert {ask(caller, sent) for _ in range(OF_EACH)} == {status}
            assert_few(left())


def test_a_refusal_leaves_nothing(run: Run) -> None:
    running = run(**FULL)
    with running.full(), running.call() as caller:
        asked = request("/tag", text="a")
        assert ask(caller, asked) == 429
        with without_collections() as left:
            assert {ask(caller, asked) for _ in range(OF_EACH)} == {429}
            assert_few(left())


def test_a_caller_who_leaves_takes_everything_along(run: Run) -> None:
    running = run(threads=1)
    with without_collections() as left:
        session = running.session
        for _ in range(OF_EACH):
            session.gate.clear()
            session.shapes.clear()
            session.num_ended = 0
            with running.call(request("/tag", text="well")):
                wait_until(lambda: bool(session.shapes))
            session.gate.set()
            wait_until(lambda: session.num_ended and not running.connections)
        wait_until(lambda: all(number <= 2 for number in left().values()))


def assert_few(found: Counter[str]) -> Any:
    """The last one's are still held by its connection."""
    assert all(number <= 2 for number in found.values()), found

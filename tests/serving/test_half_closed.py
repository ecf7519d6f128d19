"""Callers who send no more but still read, and what follows a whole request on a connection."""

from __future__ import annotations

import json
import socket
import time

import pytest

from tests.application import wait_until
from tests.server import Run, everything, kinds_in, request

FINAL = b"HTTP/1.1 200 "
PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("sent", [request("/tag", text="Alice"), b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_caller_who_sends_no_more_gets_the_answer(run: Run, sent: bytes) -> None:
    with run().call(sent) as caller:
        caller.shutdown(socket.SHUT_WR)
        assert everything(caller).removeprefix(PROBE).startswith(FINAL)


def test_one_who_sends_no_more_may_wait_for_long(run: Run) -> None:
    running = run()
    running.hold()
    with running.call(request("/tag", text="Alice")) as caller:
        caller.shutdown(socket.SHUT_WR)
        wait_until(lambda: bool(running.session.shapes))
        time.sleep(1.2)  # a look at all connections is among it
        running.session.gate.set()
        answer = everything(caller)
    assert answer.startswith(PROBE + FINAL)
    assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["results"]
    wait_until(lambda: not running.connections)


def test_an_old_caller_who_sends_no_more_is_sent_nothing_but_the_answer(run: Run) -> None:
    running = run()
    running.hold()
    with running.call(request("/tag", text="Alice").replace(b"HTTP/1.1", b"HTTP/1.0")) as caller:
        caller.shutdown(socket.SHUT_WR)
        wait_until(lambda: bool(running.session.shapes))
        running.session.gate.set()
        assert everything(caller).startswith(FINAL)


def test_one_who_sent_several_requests_and_sends_no_more_gets_all_answers(run: Run) -> None:
    running = run()
    with running.call(request("/tag", text="Alice") * 5) as caller:
        caller.shutdown(socket.SHUT_WR)
        assert everything(caller).count(FINAL) == 5
    wait_until(lambda: not running.connections)


@pytest.mark.parametrize("sent", [b"GET /health/li", b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Le"])
def test_a_head_that_ends_in_the_midst_is_refused(run: Run, sent: bytes) -> None:
    with run().call(sent) as caller:
        caller.shutdown(socket.SHUT_WR)
        received = everything(caller)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert kinds_in(received) == ["malformed_http"]


BAD_CHUNK = b"POST /tag HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"
NO_HOST = b"GET /health/live HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("bad", [b"\x00garbage\r\n\r\n", BAD_CHUNK, NO_HOST])
@pytest.mark.parametrize("whole", [1, 3])
def test_what_is_wrong_is_said_after_the_answers_to_what_came_before(run: Run, bad: bytes, whole: int) -> None:
    running = run()
    running.hold()
    with running.call(request("/tag", text="Alice") * whole + bad) as caller:
        wait_until(lambda: running.errors("malformed_http") == 1)
        wait_until(lambda: bool(running.session.shapes))
        caller.sendall(b"more of it")
        running.session.gate.set()
        received = everything(caller)
    assert received.count(FINAL) == whole
    assert received.index(b"HTTP/1.1 400 ") > received.rindex(FINAL)
    assert kinds_in(received) == ["malformed_http"]
    wait_until(lambda: not running.connections)


def test_nothing_is_said_after_an_answer_that_was_the_last(run: Run) -> None:
    last = request("/tag", text="Alice").replace(b"Host: x", b"Host: x\r\nConnection: close")
    with run().call(last + b"\x00garbage\r\n\r\n") as caller:
        received = everything(caller)
    assert received.startswith(FINAL)
    assert kinds_in(received) == []

"""Callers who send no more but still read, callers who have left, and what follows a whole request on a connection."""

from __future__ import annotations

import json
import socket
import sys
import time

import pytest

from tests.api.conftest import wait_until
from tests.api.listening import Run, Running, everything, request

FINAL = b"HTTP/1.1 200 "
PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell that a connection was reset")


def hold(running: Running) -> None:
    """From now on no run ends until the gate is opened."""
    running.session.gate.clear()
    running.session.shapes.clear()


def kinds(received: bytes) -> list[str]:
    """The kind of each problem document, in order."""
    return [part.split('"')[0] for part in received.decode().split('"kind":"')[1:]]


@pytest.mark.parametrize("sent", [request("/tag", text="Alice"), b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_caller_who_sends_no_more_gets_the_answer(run: Run, sent: bytes) -> None:
    with run().call(sent) as caller:
        caller.shutdown(socket.SHUT_WR)
        assert everything(caller).removeprefix(PROBE).startswith(FINAL)


def test_one_who_sends_no_more_may_wait_for_long(run: Run) -> None:
    running = run()
    hold(running)
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
    hold(running)
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


@on_linux
def test_one_who_has_left_is_told_from_one_who_still_reads(run: Run) -> None:
    running = run(threads=1)
    hold(running)
    try:
        with running.call(request("/tag", text="Alice")):
            wait_until(lambda: bool(running.session.shapes))
        wait_until(lambda: running.errors("caller_left") == 1)
        wait_until(lambda: not running.connections)
    finally:
        running.session.gate.set()


@pytest.mark.parametrize("sent", [b"GET /health/li", b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Le"])
def test_a_head_that_ends_in_the_midst_is_refused(run: Run, sent: bytes) -> None:
    with run().call(sent) as caller:
        caller.shutdown(socket.SHUT_WR)
        received = everything(caller)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert kinds(received) == ["malformed_http"]


BAD_CHUNK = b"POST /tag HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"
NO_HOST = b"GET /health/live HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("bad", [b"\x00garbage\r\n\r\n", BAD_CHUNK, NO_HOST])
@pytest.mark.parametrize("whole", [1, 3])
def test_what_is_wrong_is_said_after_the_answers_to_what_came_before(run: Run, bad: bytes, whole: int) -> None:
    running = run()
    hold(running)
    with running.call(request("/tag", text="Alice") * whole + bad) as caller:
        wait_until(lambda: running.errors("malformed_http") == 1)
        wait_until(lambda: bool(running.session.shapes))
        caller.sendall(b"more of it")
        running.session.gate.set()
        received = everything(caller)
    assert received.count(FINAL) == whole
    assert received.index(b"HTTP/1.1 400 ") > received.rindex(FINAL)
    assert kinds(received) == ["malformed_http"]
    wait_until(lambda: not running.connections)


def test_half_of_a_next_head_costs_the_request_before_it_nothing(run: Run) -> None:
    running = run(body_timeout_seconds=0.3)
    hold(running)
    with running.call(request("/tag", text="Alice") + b"GET / HT") as caller:
        wait_until(lambda: running.errors("body_timeout") == 1)
        running.session.gate.set()
        received = everything(caller)
    assert received.startswith(FINAL)
    assert kinds(received) == ["body_timeout"]


def test_nothing_is_said_after_an_answer_that_was_the_last(run: Run) -> None:
    last = request("/tag", text="Alice").replace(b"Host: x", b"Host: x\r\nConnection: close")
    with run().call(last + b"\x00garbage\r\n\r\n") as caller:
        received = everything(caller)
    assert received.startswith(FINAL)
    assert kinds(received) == []

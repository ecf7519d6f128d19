"""Callers who are slow or never finish: with their head, with their body, and with reading the answer."""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import ExitStack

import pytest

from service.serving import protocol
from service.serving.limits import ConnectionLimits
from tests.application import wait_until
from tests.server import (
    FULL,
    GOOD,
    PATIENCE_SECONDS,
    POST,
    Run,
    RunningServer,
    everything,
    kinds_in,
    problem_in,
    request,
)

SHORT = 0.3


def test_a_body_that_does_not_come_is_answered_408(run: Run) -> None:
    running = run(body_timeout_seconds=SHORT)
    for framing in (b"Content-Length: 50\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
        with running.call(POST + framing) as caller:
            problem_in(everything(caller), 408, "body_timeout")


def test_a_body_that_drips_is_not_waited_for_longer(run: Run) -> None:
    running = run(body_timeout_seconds=SHORT)
    with running.call(POST + b"Content-Length: 5000\r\n\r\n") as caller:
        began = time.monotonic()
        caller.settimeout(0.05)
        received = b""
        while not received and time.monotonic() < began + PATIENCE_SECONDS:
            caller.sendall(b" ")
            try:
                received = caller.recv(65536)
            except TimeoutError:
                continue
        problem_in(received, 408, "body_timeout")
        assert time.monotonic() - began > 0.9 * SHORT


@pytest.mark.parametrize("sent", [b"P", POST, POST + b"X-Slow: ", GOOD + b"GET / HT"])
def test_headers_that_do_not_come_end_the_connection(run: Run, sent: bytes) -> None:
    running = run(body_timeout_seconds=SHORT)
    with running.call(sent) as caller:
        received = everything(caller)
    problem_in(received[received.rindex(b"HTTP/1.1 ") :], 408, "body_timeout")
    assert running.errors("body_timeout") == 1


def test_a_connection_on_which_nothing_is_asked_ends_too(run: Run) -> None:
    running = run(body_timeout_seconds=SHORT)
    with running.call() as caller:
        assert everything(caller) == b""
    with running.call(GOOD) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")
        caller.sendall(b"\r\n")  # no request, but uvicorn stops its clock for idle connections
        problem_in(everything(caller), 408, "body_timeout")


def test_headers_that_come_in_pieces_but_in_time_are_read(run: Run) -> None:
    with run().call() as caller:
        for place in range(0, len(GOOD), 7):
            caller.sendall(GOOD[place : place + 7])
            time.sleep(0.005)
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_an_idle_connection_may_wait_for_its_next_request(run: Run) -> None:
    with run(body_timeout_seconds=SHORT, answer_timeout_seconds=SHORT).call(GOOD) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")
        time.sleep(3 * SHORT)
        caller.sendall(GOOD)
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_half_of_a_next_head_costs_the_request_before_it_nothing(run: Run) -> None:
    running = run(body_timeout_seconds=0.3)
    running.hold()
    with running.call(request("/tag", text="Alice") + b"GET / HT") as caller:
        wait_until(lambda: running.errors("body_timeout") == 1)
        running.session.gate.set()
        received = everything(caller)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert kinds_in(received) == ["body_timeout"]


def is_cut_off(caller: socket.socket, size: int = 100) -> bool:
    try:
        caller.sendall(b" " * size)
    except ConnectionError:
        return True
    return False


def test_one_who_goes_on_sending_after_the_answer_is_cut_off(run: Run) -> None:
    running = run(ConnectionLimits(request_seconds=SHORT))
    with running.call(POST + b"Content-Length: 999999999\r\n\r\n") as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 413 ")
        wait_until(lambda: is_cut_off(caller))


def test_no_more_than_so_much_of_a_refused_body_is_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_DROPPED_BYTES", 1_000_000)
    head = POST + b"Connection: close\r\nContent-Length: 999999999\r\n\r\n"
    with run().call(head) as caller:
        assert caller.recv(65536).startswith(b"HTTP/1.1 413 ")
        wait_until(lambda: is_cut_off(caller, 100_000))


def narrowed(running: RunningServer) -> RunningServer:
    """The kernel takes in only little of an answer that is not read."""
    running.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return running


WORDY = request("/tag", text=["plays well with others. " * 400] * 13)  # answered with megabytes


STREAM = request("/translate", text=["plays well. " * 2500] * 4, target="es", stream=True, beam_size=1)


@pytest.mark.parametrize("sent", [WORDY, STREAM])
def test_an_answer_that_nobody_reads_ends_the_connection(run: Run, sent: bytes) -> None:
    running = narrowed(run(answer_timeout_seconds=SHORT))
    with running.call(sent):
        wait_until(lambda: running.errors("answer_unread") == 1)
        wait_until(lambda: not running.connections)
        wait_until(lambda: running.app.lifecycle.in_flight == 0)


def test_an_answer_that_is_read_slowly_but_in_time_arrives_whole(run: Run) -> None:
    running = narrowed(run(answer_timeout_seconds=PATIENCE_SECONDS))
    with running.call(WORDY) as caller:
        time.sleep(SHORT)
        head, _, body = caller.recv(65536).partition(b"\r\n\r\n")
        length = int(re.findall(rb"content-length: (\d+)", head)[0])
        assert length > 1_000_000
        while len(body) < length:
            body += caller.recv(65536)
        assert json.loads(body)["results"]


def test_who_refuses_to_read_refusals_is_not_written_to_for_ever(run: Run) -> None:
    """The answers that nobody reads stay few: beyond that the caller's own sending comes to a halt."""
    running = run(answer_timeout_seconds=1, **FULL)
    with running.full(), running.call() as caller, pytest.raises((TimeoutError, ConnectionError)):
        caller.sendall(200_000 * request("/tag", text="a"))
    wait_until(lambda: running.errors("answer_unread") == 1)


def test_no_connection_is_left_behind(run: Run) -> None:
    running = run(body_timeout_seconds=SHORT)
    with ExitStack() as stack:
        for sent in (b"", b"P", POST, GOOD, b"\x00") * 10:
            stack.enter_context(running.call(sent))
        wait_until(lambda: len(running.connections) == 50 or running.errors("malformed_http") == 10)
    wait_until(lambda: not running.connections)

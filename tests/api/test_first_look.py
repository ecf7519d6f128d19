"""Under overload a request's head is answered before anything is made of the rest: over real sockets."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.api_keys import line_for
from service.logs import JsonFormatter
from tests.api.conftest import wait_until
from tests.api.listening import PATIENCE_SECONDS, Run, Running, everything, request

FULL = {"max_queued_cells": 3, "threads": 1}
POST = b"POST /tag HTTP/1.1\r\nHost: x\r\n"
ASK = request("/tag", text="a")


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


@contextmanager
def full(running: Running, headers: bytes = b"") -> Iterator[None]:
    """One run does not end before the block does, the queue is full, and somebody has been told so."""
    running.session.gate.clear()
    running.session.shapes.clear()
    metrics = running.app.engine.metrics  # asked directly: where keys are needed they are for /metrics too

    def head(text: str) -> int:
        with running.call(with_headers(request("/tag", text=text), headers)) as caller:
            return read_answer(caller)[0]

    with ThreadPoolExecutor(2) as pool:
        inside = [pool.submit(head, "with")]
        wait_until(lambda: bool(running.session.shapes))
        inside.append(pool.submit(head, "plays well with others"))
        wait_until(lambda: b"\nribbon_queue_rows 1.0" in metrics.render())
        try:
            assert head("a") == 429
            yield
        finally:
            running.session.gate.set()
        assert [each.result() for each in inside] == [200, 200]


def with_headers(sent: bytes, headers: bytes) -> bytes:
    return sent.replace(b"Host: x\r\n", b"Host: x\r\n" + headers)


def test_the_rest_is_not_even_parsed_and_the_connection_goes_on(run: Run) -> None:
    running = run(**FULL)
    nonsense = b"POST /tag HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\nContent-Length: 8\r\n\r\n{no json"
    with running.call() as caller:
        with full(running):
            for _ in range(3):
                caller.sendall(nonsense)
                status, headers, document = read_answer(caller)
                assert (status, document["status"], document["kind"]) == (429, 429, "overloaded")
                assert headers["x-request-id"] == document["request_id"] == "mine"
                assert headers["content-type"] == "application/problem+json"
                assert int(headers["retry-after"]) >= 1
                assert {"date", "server-timing", "x-content-type-options", "cache-control"} <= headers.keys()
            assert running.errors("overloaded") == 4
        caller.sendall(ASK)
        wait_until(lambda: read_answer(caller)[0] == 200 or caller.sendall(ASK) is not None)


def test_it_is_written_down_like_every_request(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    running = run(**FULL)
    with full(running), running.call() as caller:
        caplog.set_level(logging.INFO, "service.requests")
        caplog.clear()
        caller.sendall(ASK)
        _, headers, document = read_answer(caller)
        [record] = [each for each in caplog.records if each.name == "service.requests"]
    line = json.loads(JsonFormatter().format(record))
    assert (line["method"], line["route"], line["status"], line["kind"]) == ("POST", "/tag", 429, "overloaded")
    assert (line["request_id"], line["answer_bytes"]) == (document["request_id"], int(headers["content-length"]))
    metrics = running.get("/metrics").text
    assert 'ribbon_requests_total{route="/tag",status="429"} 2.0' in metrics
    assert "ribbon_requests_in_flight 1.0" in metrics  # this one


def test_a_body_that_comes_later_is_dropped_and_what_follows_it_is_answered(run: Run) -> None:
    running = run(**FULL)
    with full(running), running.call() as caller:
        caller.sendall(ASK[:-5])
        assert read_answer(caller)[0] == 429
        caller.sendall(ASK[-5:] + b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(caller)[0] == 200


def test_what_was_sent_before_is_answered_before(run: Run) -> None:
    running = run(**FULL)
    with full(running), running.call() as caller:
        caller.sendall(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n" + ASK + ASK)
        assert [read_answer(caller)[0] for _ in range(3)] == [200, 429, 429]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Origin: https://example.org\r\n", 400),  # a browser is told with the headers that it needs
        (b"X-Priority: urgent\r\n", 400),
        (b"X-Request-Timeout-Ms: soon\r\n", 400),
        (b"Expect: 100-continue\r\n", 100),
    ],
)
def test_what_cannot_be_judged_by_its_head_is_read(run: Run, headers: bytes, status: int) -> None:
    running = run(**FULL)
    with full(running), running.call() as caller:
        caller.sendall(b"POST /tag HTTP/1.1\r\nHost: x\r\n" + headers + b"Content-Length: 8\r\n\r\n{no json")
        assert caller.recv(12) == b"HTTP/1.1 %d" % status


def test_the_last_request_of_a_connection_is_answered_and_the_connection_closed(run: Run) -> None:
    running = run(**FULL)
    with full(running), running.call(with_headers(ASK, b"Connection: close\r\n")) as caller:
        assert read_answer(caller)[0] == 429
        assert caller.recv(1) == b""


def test_an_old_client_that_wants_to_keep_its_connection_is_answered_to_the_end(run: Run) -> None:
    running = run(**FULL)
    old = with_headers(ASK.replace(b"HTTP/1.1", b"HTTP/1.0"), b"Connection: keep-alive\r\n")
    with full(running), running.call(old) as caller:
        assert everything(caller).startswith(b"HTTP/1.1 429 ")


def test_nothing_is_said_after_the_refusal_to_a_body_that_turns_out_bad(run: Run) -> None:
    running = run(**FULL)
    with full(running), running.call(POST + b"Transfer-Encoding: chunked\r\n\r\n") as caller:
        assert read_answer(caller)[0] == 429
        caller.sendall(b"ZZ\r\n")
        assert everything(caller) == b""


def test_a_look_that_fails_leaves_the_request_to_the_application(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    running = run(**FULL)
    with full(running), running.call() as caller:
        load_shedder = running.app.first_look.load_shedder
        load_shedder.refusal = None  # not to be called
        caller.sendall(ASK)
        assert read_answer(caller)[0] == 429
    assert "the first look failed" in caplog.text


def test_who_has_no_key_is_told_that_and_not_how_busy_it_is(run: Run, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(line_for("shop", "rbn_shop-key"))
    keys.chmod(0o600)
    running = run(api_keys_file=keys, **FULL)
    good = b"X-API-Key: rbn_shop-key\r\n"
    with full(running, good), running.call() as caller:
        for headers, status in ((b"", 401), (b"X-API-Key: rbn_other\r\n", 401), (good, 429)):
            caller.sendall(with_headers(ASK, headers))
            assert read_answer(caller)[0] == status


def test_who_refuses_to_read_refusals_is_not_written_to_for_ever(run: Run) -> None:
    """The answers that nobody reads stay few: beyond that the caller's own sending comes to a halt."""
    running = run(answer_timeout_seconds=1, **FULL)
    with full(running), running.call() as caller:
        caller.settimeout(PATIENCE_SECONDS)
        with pytest.raises((TimeoutError, ConnectionError)):
            caller.sendall(200_000 * ASK)
    assert running.errors("answer_unread") == 1

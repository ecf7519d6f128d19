"""Requests that are refused by their heads under overload, on the connection."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Iterator

import pytest

from service.logs import JsonFormatter
from tests.application import wait_until
from tests.server import (
    FULL,
    GOOD_BODY,
    POST,
    Run,
    RunningServer,
    everything,
    problem_in,
    read_answer,
    request,
    with_headers,
)

RUN_SECONDS = 0.1
SHORT = b"X-Request-Timeout-Ms: 200\r\n"  # less than those that wait take
HURRIED = POST + SHORT
READY = b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def busy(run: Run) -> Iterator[RunningServer]:
    """A server in which a row waits, at a speed that is known."""
    running = run(**FULL, allowed_hosts="x")
    running.session.seconds = RUN_SECONDS
    with running.call(request("/tag", text="well")) as caller:
        assert read_answer(caller)[0] == 200
    with running.full():
        yield running


def is_open(caller: socket.socket) -> bool:
    caller.sendall(READY)
    return read_answer(caller)[0] == 200


def refused(caller: socket.socket) -> dict[str, str]:
    """The headers of the next answer, which is a refusal before the body."""
    status, headers, document = read_answer(caller)
    assert (status, document["status"], document["kind"]) == (429, 429, "overloaded")
    assert "requests wait for" in document["detail"]
    assert headers["x-request-id"] == document["request_id"]
    assert headers["content-type"] == "application/problem+json"
    assert headers["server-timing"].startswith("queue;dur=0.00, model;dur=0.00, total;dur=")
    assert headers["cache-control"] == "no-store"
    assert {"x-content-type-options", "referrer-policy", "content-security-policy"} <= headers.keys()
    assert int(headers["retry-after"]) >= 1
    return headers


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Content-Length: 13\r\n\r\n", GOOD_BODY),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"d\r\n%b\r\n0\r\nX-Trailer: a\r\n\r\n" % GOOD_BODY),
        (b"Content-Length: 200000\r\n\r\n", b" " * 200_000),
    ],
)
@pytest.mark.parametrize("sends_at_once", [True, False])
def test_a_body_that_follows_is_dropped_and_the_connection_goes_on(
    busy: RunningServer, head: bytes, body: bytes, sends_at_once: bool
) -> None:
    with busy.call() as caller:
        for _ in range(2):
            caller.sendall(HURRIED + head + (body if sends_at_once else b""))
            refused(caller)
            caller.sendall(b"" if sends_at_once else body)
        assert is_open(caller)


def test_requests_sent_at_once_are_refused_in_their_order(busy: RunningServer) -> None:
    hurried = with_headers(request("/tag", text="a"), SHORT)
    with busy.call(hurried + hurried + READY + hurried + hurried) as caller:
        assert [read_answer(caller)[0] for _ in range(5)] == [429, 429, 200, 429, 429]


def test_heads_of_a_caller_who_reads_nothing_pile_up_nowhere(busy: RunningServer) -> None:
    with busy.call() as caller:
        caller.settimeout(1)
        with pytest.raises(TimeoutError):
            caller.sendall(with_headers(request("/tag", text="a"), SHORT) * 200_000)
        with busy.call(READY) as other:
            assert read_answer(other)[0] == 200


@pytest.mark.parametrize(("host", "num_arriving"), [(b"x", 1), (b"evil.example", 0)])
def test_what_will_be_refused_anyway_does_not_count_as_waiting(
    busy: RunningServer, host: bytes, num_arriving: int
) -> None:
    shedder = busy.app.load_shedder

    async def let_in() -> int:
        headers = [(b"host", host), (b"x-request-timeout-ms", b"600000")]
        assert shedder.refuse(b"/tag", {"headers": headers}, []) is None
        return shedder.num_arriving

    assert asyncio.run(let_in()) == num_arriving


def test_every_refusal_has_an_id_of_its_own(busy: RunningServer) -> None:
    own = [b"mine", b"f" * 32, b"0" * 32, b"a" * 128]
    with busy.call() as caller:
        for each in [*own, *own]:
            ask = with_headers(request("/tag", text="a"), SHORT + b"X-Request-ID: %b\r\n" % each)
            caller.sendall(ask)
            assert refused(caller)["x-request-id"] == each.decode()
        made = set()
        for _ in range(20):
            caller.sendall(with_headers(request("/tag", text="a"), SHORT))
            made.add(refused(caller)["x-request-id"])
    assert len(made) == 20


def test_refusals_are_counted_and_logged_like_all_answers(
    busy: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "service.requests")
    before = busy.errors("overloaded")
    with busy.call(with_headers(request("/tag", text="a"), SHORT)) as caller:
        headers = refused(caller)
    assert busy.errors("overloaded") == before + 1
    assert b'ribbon_requests_total{route="/tag",status="429"} 2.0' in busy.app.engine.metrics.render()
    wait_until(lambda: any(vars(each).get("request_id") == headers["x-request-id"] for each in caplog.records))
    line = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert (line["method"], line["route"], line["status"], line["kind"]) == ("POST", "/tag", 429, "overloaded")
    assert (line["answer_bytes"], line["request_bytes"]) == (int(headers["content-length"]), 0)


@pytest.mark.parametrize("sends_at_once", [True, False])
@pytest.mark.parametrize(("version", "line"), [(b"1.1", b"Connection: close\r\n"), (b"1.0", b"")])
def test_a_connection_that_is_to_end_ends_after_the_body(
    busy: RunningServer, version: bytes, line: bytes, sends_at_once: bool
) -> None:
    ask = with_headers(request("/tag", text="a"), SHORT + line).replace(b"HTTP/1.1", b"HTTP/" + version)
    head, _, body = ask.partition(b"{")
    with busy.call(ask if sends_at_once else head) as caller:
        if not sends_at_once:
            caller.sendall(b"{" + body)
        assert "requests wait for" in problem_in(everything(caller), 429, "overloaded")["detail"]


def test_who_waits_for_100_continue_is_refused_for_the_rows(busy: RunningServer) -> None:
    with busy.call(HURRIED + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(GOOD_BODY)) as caller:
        assert caller.recv(len(b"HTTP/1.1 100 Continue\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        caller.sendall(GOOD_BODY)
        problem_in(everything(caller), 429, "overloaded")


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (request("/tag", text="a"), 429),
        (with_headers(request("/tag", text="a"), SHORT + b"Origin: http://x\r\n"), 429),
        (with_headers(request("/tag?format=json", text="a"), SHORT), 429),
        (with_headers(request("/tag/", text="a"), SHORT), 429),
        (with_headers(request("/classify", text="a"), b"X-Request-Timeout-Ms: soon\r\n"), 422),
        (with_headers(request("/tag", text="a"), SHORT).replace(b"Host: x", b"Host: evil.example"), 421),
        (with_headers(request("/nothing", text="a"), SHORT), 404),
        (b"GET /tag HTTP/1.1\r\nHost: x\r\n" + SHORT + b"\r\n", 405),
    ],
)
def test_other_requests_go_on_to_what_answers_them(busy: RunningServer, ask: bytes, status: int) -> None:
    with busy.call(ask) as caller:
        answer = read_answer(caller)
        assert answer[0] == status
        assert "requests wait for" not in answer[2]["detail"]
        assert is_open(caller)


def test_an_idle_service_refuses_nothing_by_the_head(run: Run) -> None:
    running = run(**FULL)
    running.session.seconds = 3 * RUN_SECONDS  # longer than the deadline
    with running.call() as caller:
        for _ in range(2):
            caller.sendall(with_headers(request("/tag", text="a"), SHORT))
            assert read_answer(caller)[0] == 200


def test_who_ends_the_sending_side_after_a_head_reads_the_refusal(busy: RunningServer) -> None:
    with busy.call(HURRIED + b"Content-Length: 20\r\n\r\n") as caller:
        caller.shutdown(socket.SHUT_WR)
        assert b'"kind":"overloaded"' in everything(caller)
    wait_until(lambda: len(busy.connections) == 2)  # of those whose requests are inside

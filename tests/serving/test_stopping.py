"""Told to stop, the service says so, finishes what is inside and waits for nobody else."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from service.lifecycle import Phase
from service.serving.server import DRAIN_TICK_SECONDS, DrainTimeouts
from tests.application import wait_until
from tests.fakes import FakeSession
from tests.process import PATIENCE_SECONDS, QUICKLY_SECONDS, client_of, get, heeds, running, say_hello
from tests.server import Run, everything, request, start

# By default there is time enough for everything that is inside.
PATIENT = DrainTimeouts(lame_duck_seconds=0, grace_seconds=PATIENCE_SECONDS)


def test_told_to_stop_it_says_so_and_answers_those_who_have_not_noticed(models: Path) -> None:
    with running(models, RIBBON_DRAIN_SECONDS="1") as service:
        url = service.line("ready")["url"]
        service.terminate()
        service.line("stopping")
        refused = get(url, "/health/ready")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        answer = say_hello(url)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert get(url, "/health/live").status_code == 200
        assert service.status() == 0


def test_what_is_inside_when_it_is_told_to_stop_is_finished(run: Run) -> None:
    server = run(drain_timeouts=PATIENT)
    server.hold()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(say_hello, server.url)
        wait_until(lambda: bool(server.session.shapes))
        server.stop.request()
        wait_until(lambda: server.lifecycle.phase is Phase.DRAINING)
        refused = say_hello(server.url)
        assert (refused.status_code, refused.json()["kind"]) == (503, "not_ready")
        assert refused.headers["connection"] == "close"
        assert refused.headers["retry-after"] == "1"
        server.session.gate.set()
        assert answer.result().status_code == 200
        assert server.status.result(PATIENCE_SECONDS) == 0


def test_a_request_is_finished_although_half_of_the_next_has_come(run: Run) -> None:
    server = run(drain_timeouts=PATIENT)
    server.hold()
    with server.call(request("/tag", text="Alice") + request("/tag", text="Bob")[:-1]) as caller:
        wait_until(lambda: bool(server.session.shapes))
        server.stop.request()
        wait_until(lambda: server.lifecycle.phase is Phase.DRAINING)
        time.sleep(2 * DRAIN_TICK_SECONDS)  # for it to think that nobody is inside
        server.session.gate.set()
        answer = everything(caller)
        assert answer.startswith(b"HTTP/1.1 200 OK"), answer
        assert b'"Alice"' in answer
        assert server.status.result(QUICKLY_SECONDS) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_requests_that_wait_to_be_accepted_when_it_is_told_to_stop_are_answered(models: Path, workers: str) -> None:
    with running(models, RIBBON_WORKERS=workers) as service, ExitStack() as stack:
        url = httpx.URL(service.line("ready")["url"])
        processes = [service.popen.pid, *service.workers]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        callers = [stack.enter_context(socket.create_connection((url.host, url.port))) for _ in range(8)]
        for caller in callers:
            caller.sendall(request("/tag", text="Alice"))
        service.terminate()
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
        answers = [everything(caller) for caller in callers]
        assert [answer[:15] for answer in answers] == [b"HTTP/1.1 200 OK"] * 8
        assert service.status() == 0


def test_streams_and_long_texts_that_were_accepted_are_finished(run: Run) -> None:
    server = run(drain_timeouts=PATIENT)
    server.hold()
    with ThreadPoolExecutor(5) as pool:
        streams = [pool.submit(translate, server.url, "plays well. " * 20) for _ in range(3)]
        wait_until(lambda: server.lifecycle.in_flight == 3 and bool(server.session.shapes))
        # The next is still being read when it is told to stop.
        server.app.engine.side_executor.submit(server.session.gate.wait)
        long = pool.submit(translate, server.url, "plays well. " * 400)
        wait_until(lambda: server.lifecycle.in_flight == 4)
        server.stop.request()
        wait_until(lambda: server.lifecycle.phase is Phase.DRAINING)
        server.session.gate.set()
        for each in (*streams, long):
            answer = each.result(PATIENCE_SECONDS)
            assert answer.status_code == 200, answer.text
            assert "event: done" in answer.text
        assert server.status.result(PATIENCE_SECONDS) == 0


def translate(url: str, text: str) -> httpx.Response:
    with client_of(url) as client:
        # The held run looks like a slow one: by the default deadline a long text might be refused.
        patience = {"X-Request-Timeout-Ms": "300000"}
        return client.post("/translate", json={"text": text, "target": "es", "stream": True}, headers=patience)


def test_what_is_not_done_in_time_is_refused_and_no_bug(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    server = run(drain_timeouts=DrainTimeouts(lame_duck_seconds=0, grace_seconds=0.1))
    server.hold()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(say_hello, server.url)
        wait_until(lambda: bool(server.session.shapes))
        server.stop.request()
        refused = answer.result(PATIENCE_SECONDS)
        assert (refused.status_code, refused.json()["kind"]) == (503, "not_ready")
        assert refused.headers["content-type"] == "application/problem+json"
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")
        assert refused.headers["x-request-id"] == refused.json()["request_id"]
        server.session.gate.set()
        assert server.status.result(PATIENCE_SECONDS) == 0
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_told_to_stop_while_it_loads_it_never_opens(models: Path) -> None:
    session = FakeSession()
    session.gate.clear()
    timeouts = DrainTimeouts(lame_duck_seconds=PATIENCE_SECONDS, grace_seconds=PATIENCE_SECONDS)
    with ExitStack() as stack:
        server = start(stack, models, session=session, drain_timeouts=timeouts)
        wait_until(lambda: bool(session.shapes))
        assert server.get("/health/live").status_code == 200
        server.stop.request()
        wait_until(lambda: server.lifecycle.phase is Phase.DRAINING)
        session.gate.set()
        assert server.status.result(PATIENCE_SECONDS) == 0
        assert server.lifecycle.phase is Phase.DRAINING


def test_a_signal_while_it_starts_ends_it_with_zero(models: Path) -> None:
    with running(models) as service:
        wait_until(lambda: heeds(service.popen.pid, signal.SIGTERM))
        service.terminate()
        assert service.status() == 0
        assert [line["message"] for line in service.rest()] in ([], ["stopping"])


def test_a_second_signal_ends_it_at_once(models: Path) -> None:
    with running(models, RIBBON_DRAIN_SECONDS=str(PATIENCE_SECONDS)) as service:
        service.line("ready")
        service.terminate()
        service.line("stopping")
        service.terminate()
        assert service.status(QUICKLY_SECONDS) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST /tag HTT", id="half a line"),
        pytest.param(b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{", id="half a body"),
        pytest.param(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", id="a request that was answered"),
    ],
)
def test_a_caller_who_is_idle_does_not_keep_it_from_ending(run: Run, sent: bytes) -> None:
    server = run(drain_timeouts=PATIENT)
    with server.call(sent) as caller:
        if sent.startswith(b"GET"):
            assert b"".join(iter(partial(caller.recv, 1), b"}")).startswith(b"HTTP/1.1 200")
        if sent.endswith(b"{"):
            wait_until(lambda: server.lifecycle.in_flight == 1)
        server.stop.request()
        assert server.status.result(QUICKLY_SECONDS) == 0
        assert caller.recv(1) == b""


def test_an_answer_that_nobody_reads_is_waited_for_no_longer_than_the_grace_period(models: Path) -> None:
    with running(models, RIBBON_DRAIN_TIMEOUT_SECONDS="0.2", RIBBON_MAX_REQUEST_LENGTH="1000000") as service:
        url = httpx.URL(service.line("ready")["url"])
        body = json.dumps({"text": ["Alice " * 8000] * 20}).encode()
        with socket.socket() as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect((url.host, url.port))
            caller.sendall(b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            caller.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            assert caller.recv(1, socket.MSG_PEEK) == b"H"
            began_at = time.monotonic()
            service.terminate()
            assert service.status() == 0
            assert time.monotonic() - began_at < QUICKLY_SECONDS

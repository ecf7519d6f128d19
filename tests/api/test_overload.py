"""Priorities, the limit of requests inside, and refusals under overload."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.keys import line_for
from service.logs import JsonFormatter
from service.scheduling.job import Priority
from tests.api.conftest import Serve, Served, wait_until
from tests.api.listening import Run, Running, read_answer, request
from tests.api.test_bad_input import every_route, problem_of
from tests.api.test_context import busy, queued
from tests.fakes import MAX_TOKENS

FULL = {"max_queued_cells": 3, "threads": 1}


@every_route
@pytest.mark.parametrize("value", ["", "urgent", "Bulk", "interactive, bulk"])
def test_an_unknown_priority_is_refused(served: Served, route: str, value: str) -> None:
    document = problem_of(served.post(route, text="a", headers={"X-Priority": value}), 422, "invalid_request")
    assert document["errors"] == [{"path": "headers.X-Priority", "message": "must be interactive or bulk"}]


@every_route
def test_both_priorities_are_answered(served: Served, route: str) -> None:
    for priority in Priority:
        assert served.post(route, text="a", headers={"X-Priority": priority.value}).status_code == 200


def test_an_interactive_text_passes_a_bulk_one_that_came_before_it(serve: Serve) -> None:
    served = serve(max_batch_cells=1)
    order: list[str] = []

    def head(priority: str) -> None:
        assert served.post("/tag", text="plays well", headers={"X-Priority": priority}).status_code == 200
        order.append(priority)

    with busy(served) as pool:
        first = pool.submit(head, "bulk")
        queued(served, 1)
        second = pool.submit(head, "interactive")
        queued(served, 2)
        served.session.seconds = 0.05
        served.session.gate.set()
        first.result()
        second.result()
    assert order == ["interactive", "bulk"]


def test_no_more_are_inside_than_may_be(serve: Serve) -> None:
    served = serve(max_requests=2)
    with busy(served) as pool:
        waiting = pool.submit(served.tag, text="well")
        queued(served, 1)
        for path in ("/classify", "/translate", "/generate", "/score", "/tag/", "/tag//"):
            problem_of(served.client.post(path, json={"text": "a"}), 429, "overloaded")
        compatible = served.client.post("/compat/libretranslate/translate", json={})
        assert (compatible.status_code, set(compatible.json())) == (429, {"error"})
    assert waiting.result()
    assert served.classify(text="good")


def test_a_refusal_under_overload_is_a_problem_and_the_connection_goes_on(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    running = run(**FULL)
    ask = request("/tag", text="a").replace(b"Host: x\r\n", b"Host: x\r\nX-Request-ID: mine\r\n")
    with running.call() as caller:
        with full(running):
            caplog.set_level(logging.INFO, "service.requests")
            for _ in range(3):
                caplog.clear()
                caller.sendall(ask)
                status, headers, document = read_answer(caller)
                assert (status, document["status"], document["kind"]) == (429, 429, "overloaded")
                assert headers["x-request-id"] == document["request_id"] == "mine"
                assert headers["content-type"] == "application/problem+json"
                assert int(headers["retry-after"]) >= 1
                wait_until(lambda: any(each.name == "service.requests" for each in caplog.records))
            assert running.errors("overloaded") == 4
        wait_until(lambda: caller.sendall(ask) is None and read_answer(caller)[0] == 200)
    [record] = [each for each in caplog.records if each.name == "service.requests" and vars(each)["status"] == 429]
    line = json.loads(JsonFormatter().format(record))
    assert (line["method"], line["route"], line["kind"]) == ("POST", "/tag", "overloaded")


def test_requests_sent_at_once_are_answered_in_their_order_under_overload(run: Run) -> None:
    running = run(**FULL)
    ask = request("/tag", text="a")
    with full(running), running.call() as caller:
        caller.sendall(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n" + ask + ask)
        assert [read_answer(caller)[0] for _ in range(3)] == [200, 429, 429]


def test_who_has_no_key_is_told_that_and_not_how_busy_it_is(run: Run, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(line_for("shop", "rbn_shop-key"))
    keys.chmod(0o600)
    running = run(api_keys_file=keys, **FULL)
    good = b"X-API-Key: rbn_shop-key\r\n"
    with full(running, good), running.call() as caller:
        for headers, status in ((b"", 401), (b"X-API-Key: rbn_other\r\n", 401), (good, 429)):
            caller.sendall(with_headers(request("/tag", text="a"), headers))
            assert read_answer(caller)[0] == status


def test_a_deadline_that_no_row_would_meet_is_refused_before_the_body_is_read(run: Run) -> None:
    running = run(**FULL)
    head = b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\nX-Request-Timeout-Ms: 0.0001\r\n\r\n"
    with running.call(request("/tag", text="well")) as caller:
        assert read_answer(caller)[0] == 200  # from which the pace is known
    with full(running), running.call(head) as caller:
        status, headers, document = read_answer(caller)
        assert (status, document["kind"]) == (429, "overloaded")
        assert "requests wait for" in document["detail"]
        assert int(headers["retry-after"]) >= 1


def test_who_refuses_to_read_refusals_is_not_written_to_for_ever(run: Run) -> None:
    """The answers that nobody reads stay few: beyond that the caller's own sending comes to a halt."""
    running = run(answer_timeout_seconds=1, **FULL)
    with full(running), running.call() as caller, pytest.raises((TimeoutError, ConnectionError)):
        caller.sendall(200_000 * request("/tag", text="a"))
    wait_until(lambda: running.errors("answer_unread") == 1)


@contextmanager
def full(running: Running, headers: bytes = b"") -> Iterator[None]:
    """One run does not end before the block does, the queue is full, and somebody has been told so."""
    running.session.gate.clear()
    running.session.shapes.clear()
    metrics = running.app.engine.metrics  # asked directly: where keys are needed they are for /metrics too

    def ask(text: str) -> int:
        with running.call(with_headers(request("/tag", text=text), headers)) as caller:
            return read_answer(caller)[0]

    with ThreadPoolExecutor(2) as pool:
        inside = [pool.submit(ask, "with")]
        wait_until(lambda: bool(running.session.shapes))
        inside.append(pool.submit(ask, "plays well with others"))
        wait_until(lambda: b"\nribbon_queue_rows 1.0" in metrics.render())
        try:
            assert ask("a") == 429
            yield
        finally:
            running.session.gate.set()
        assert [each.result() for each in inside] == [200, 200]


def with_headers(sent: bytes, headers: bytes) -> bytes:
    return sent.replace(b"Host: x\r\n", b"Host: x\r\n" + headers)


def test_the_longest_run_of_every_model_is_told(served: Served) -> None:
    wait_until(lambda: served.metric("ribbon_longest_run_seconds", model="tiny-tagger@1.2.3") > 0)
    assert served.metric("ribbon_longest_run_seconds", model="tiny-translator@1.2.3") > 0.01
    before = served.metric("ribbon_run_seconds_count")
    served.tag(text="well")
    assert served.metric("ribbon_run_seconds_count") == before + 1


@pytest.mark.parametrize(
    ("route", "text", "length", "limit"),
    [
        ("/tag", "well " * (MAX_TOKENS + 1), MAX_TOKENS + 1, MAX_TOKENS),
        ("/classify", "good " * (MAX_TOKENS + 1), MAX_TOKENS + 1, MAX_TOKENS),
    ],
)
def test_what_one_run_may_not_take_is_refused_with_limit_and_length(
    served: Served, route: str, text: str, length: int, limit: int
) -> None:
    document = problem_of(served.post(route, text=["a", text], strict=True), 422, "input_too_long")
    [error] = document["errors"]
    assert error["path"] == "text[1]"
    assert f" of {length} tokens" in error["message"]
    assert f"at most {limit}" in error["message"]
    assert served.session.shapes == []

"""Priorities, the limit of requests inside, and refusals under overload."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from service.logs import JsonFormatter
from service.scheduling.job import Priority
from tests.application import KEY, Serve, Served, every_route, problem_of, wait_until
from tests.server import FULL, Run, read_answer, request, with_headers


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

    with served.busy() as pool:
        first = pool.submit(head, "bulk")
        served.wait_for_queue(1)
        second = pool.submit(head, "interactive")
        served.wait_for_queue(2)
        served.session.seconds = 0.05
        served.session.gate.set()
        first.result()
        second.result()
    assert order == ["interactive", "bulk"]


def test_no_more_are_inside_than_may_be(serve: Serve) -> None:
    served = serve(max_requests=2)
    with served.busy() as pool:
        waiting = pool.submit(served.tag, text="well")
        served.wait_for_queue(1)
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
        with running.full():
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
    with running.full(), running.call() as caller:
        caller.sendall(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n" + ask + ask)
        assert [read_answer(caller)[0] for _ in range(3)] == [200, 429, 429]


def test_who_has_no_key_is_told_that_and_not_how_busy_it_is(run: Run, keys: Path) -> None:
    running = run(api_keys_file=keys, **FULL)
    good = b"X-API-Key: %b\r\n" % KEY.encode()
    with running.full(good), running.call() as caller:
        for headers, status in ((b"", 401), (b"X-API-Key: rbn_other\r\n", 401), (good, 429)):
            caller.sendall(with_headers(request("/tag", text="a"), headers))
            assert read_answer(caller)[0] == status


def test_a_deadline_that_no_row_would_meet_is_refused_before_the_body_is_read(run: Run) -> None:
    running = run(**FULL)
    head = b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\nX-Request-Timeout-Ms: 0.0001\r\n\r\n"
    with running.call(request("/tag", text="well")) as caller:
        assert read_answer(caller)[0] == 200  # from which the pace is known
    with running.full(), running.call(head) as caller:
        status, headers, document = read_answer(caller)
        assert (status, document["kind"]) == (429, "overloaded")
        assert "requests wait for" in document["detail"]
        assert int(headers["retry-after"]) >= 1


def test_the_longest_run_of_every_model_is_told(fresh: Served) -> None:
    wait_until(lambda: fresh.metric("ribbon_longest_run_seconds", model="tiny-tagger@1.2.3") > 0)
    assert fresh.metric("ribbon_longest_run_seconds", model="tiny-translator@1.2.3") > 0.01
    before = fresh.metric("ribbon_run_seconds_count")
    fresh.tag(text="well")
    assert fresh.metric("ribbon_run_seconds_count") == before + 1

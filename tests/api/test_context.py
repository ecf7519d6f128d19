"""What surrounds an answer: ids, timings, deadlines, refusals, counts and log lines."""

from __future__ import annotations

import json
import logging
import re
from concurrent.futures import Future
from typing import Any

import pytest

from service.logs import JsonFormatter, TextFormatter
from tests.application import NEEDED, Serve, Served, every_route, problem_of, wait_until

SECRET = "Alice told nobody"


def tokens_of(route: str, *texts: str) -> int:
    """How many the tiny models read: words, or a text's letters with the space before it, and for a translator a tag
    and the end."""
    if route in ("/translate", "/score"):
        return sum(len(text) + (3 if route == "/translate" else 1) for text in texts)
    return sum(len(text.replace(".", " .").split()) for text in texts)


def test_a_sane_request_id_is_echoed(served: Served) -> None:
    for path in ("/health/live", "/nope"):
        response = served.client.get(path, headers={"X-Request-ID": "order-7:a/b"})
        assert response.headers["x-request-id"] == "order-7:a/b"


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a;b", "é", '"'])
def test_another_is_replaced(served: Served, given: str) -> None:
    response = served.client.get("/health/live", headers={"X-Request-ID": given.encode()})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


def test_ids_differ(served: Served) -> None:
    made = {served.client.get("/health/live").headers["x-request-id"] for _ in range(10)}
    assert len(made) == 10


def test_every_answer_says_where_its_time_went(fresh: Served) -> None:
    fresh.session.seconds = 0.02
    for response in (*(fresh.post(route, text="a") for route in NEEDED), fresh.client.get("/nope")):
        timing = dict(part.split(";dur=") for part in response.headers["server-timing"].split(", "))
        assert list(timing) == ["queue", "model", "total"]
        assert float(timing["total"]) >= float(timing["queue"]) + float(timing["model"])
        assert response.status_code == 404 or float(timing["model"]) >= 20


@every_route
@pytest.mark.parametrize(
    "value", ["", "abc", "0", "-5", "1e9", "1e-999", "NaN", "3600001", "9" * 30, "1 0", "٣", "1_0"]
)
def test_a_bad_deadline_is_refused(served: Served, route: str, value: str) -> None:
    headers = {"X-Request-Timeout-Ms": value.encode()}
    document = problem_of(served.post(route, text="a", headers=headers), 422, "invalid_request")
    assert document["errors"][0]["path"] == "headers.X-Request-Timeout-Ms"


@every_route
def test_a_good_deadline_is_met(served: Served, route: str) -> None:
    for value in ("5000", "1500.5", "5e3", "50000E-1"):
        response = served.post(route, text="a", headers={"X-Request-Timeout-Ms": value})
        assert response.status_code == 200


def test_work_that_is_late_before_it_can_be_queued(fresh: Served) -> None:
    for route in NEEDED:
        response = fresh.post(route, text="a", headers={"X-Request-Timeout-Ms": "0.0001"})
        problem_of(response, 504, "deadline_exceeded")


@every_route
def test_work_that_is_late_before_it_starts(fresh: Served, route: str) -> None:
    with fresh.busy() as pool:
        late = pool.submit(fresh.post, route, text="a", headers={"X-Request-Timeout-Ms": "100"})
        fresh.wait_for_queue(1)
        wait_until(lambda: fresh.metric("ribbon_queue_oldest_age_seconds") > 0.1)
    problem_of(late.result(), 504, "deadline_exceeded")


@every_route
def test_an_overload_refuses_one_and_many_alike_and_says_when_to_come_back(serve: Serve, route: str) -> None:
    served = serve(max_queued_cells=3)
    with served.busy() as pool:
        waiting: Future[Any] = pool.submit(served.ask, route, text="plays well with others")
        served.wait_for_queue(1)
        for text in ("a", ["a"] * 50):
            response = served.post(route, text=text)
            problem_of(response, 429, "overloaded")
            assert int(response.headers["retry-after"]) >= 1
        start = route == "/score"  # what a text is scored behind waits too
        assert served.metric("ribbon_queue_cells") == tokens_of(route, "plays well with others") + start
    assert waiting.result()
    assert served.metric("ribbon_queue_cells") == served.metric("ribbon_queue_oldest_age_seconds") == 0
    assert served.metric("ribbon_errors_total", kind="overloaded") == 2


@every_route
def test_requests_are_counted_by_route_and_status_whatever_the_path(fresh: Served, route: str) -> None:
    fresh.ask(route, text=["Alice plays.", "well"])
    for path in ("/nope", "/nope/2", "/schema/nope"):
        fresh.client.get(path)
    fresh.client.post(route, json={})
    assert fresh.metric("ribbon_requests_total", route=route, status="200") == 1
    assert fresh.metric("ribbon_requests_total", route=route, status="422") == 1
    assert fresh.metric("ribbon_requests_total", route="unknown", status="404") == 2
    assert fresh.metric("ribbon_errors_total", kind="not_found") == 3
    assert fresh.metric("ribbon_errors_total", kind="invalid_request") == 1
    assert fresh.metric("ribbon_tokens_total") == tokens_of(route, "Alice plays.", "well")
    for stage in ("queue", "model", "total"):
        assert fresh.metric("ribbon_stage_seconds_count", stage=stage) == 1
    assert "nope" not in fresh.client.get("/metrics").text


def test_every_request_is_logged_with_its_id_and_without_its_text(
    fresh: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "service")
    for route in NEEDED:
        caplog.clear()
        fresh.session.error = None
        fresh.post(route, text=SECRET, headers={"X-Request-ID": "good"})
        fresh.post(route, text=SECRET, headers={"X-Request-ID": "bad"}, **{SECRET: 1})
        fresh.session.error = ValueError(SECRET)
        fresh.post(route, text=SECRET, headers={"X-Request-ID": "broken"})
        fresh.client.get(f"/{SECRET}")
        fresh.client.get("/health/live")
        lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
        lines += [TextFormatter().format(record) for record in caplog.records]
        assert "Alice" not in json.dumps(lines)
        requests = [line for line in lines if isinstance(line, dict) and line["message"] == "request"]
        assert [(line["request_id"], line["status"], line.get("kind")) for line in requests[:3]] == [
            ("good", 200, None),
            ("bad", 422, "invalid_request"),
            ("broken", 500, "model_failed"),
        ]
        assert requests[0]["tokens"] == tokens_of(route, SECRET)
        assert len(requests) == 4  # the probe is not worth a line

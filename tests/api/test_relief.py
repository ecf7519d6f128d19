"""Priorities, and refusals that cost nothing: before a body is read."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from litestar.types import HTTPScope, Receive, Scope, Send

from service.api.catalogue import Catalogue
from service.api.exchange import Exchange
from service.api.relief import ReliefMiddleware
from service.errors import OverloadedError
from service.metrics import Metrics
from service.scheduling.lag import LoopLag
from service.scheduling.prediction import Density
from service.scheduling.virtual_time import Priority
from tests.api.conftest import Serve, Served, wait_until
from tests.api.test_bad_input import every_route, problem_of
from tests.api.test_exchange import busy, queued
from tests.fakes import MAX_SOURCE_TOKENS, MAX_TOKENS


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

    def ask(priority: str) -> None:
        assert served.post("/tag", text="plays well", headers={"X-Priority": priority}).status_code == 200
        order.append(priority)

    with busy(served) as pool:
        first = pool.submit(ask, "bulk")
        queued(served, 1)
        second = pool.submit(ask, "interactive")
        queued(served, 2)
        served.session.seconds = 0.05
        served.session.gate.set()
        first.result()
        second.result()
    assert order == ["interactive", "bulk"]


def test_a_full_service_refuses_without_reading(serve: Serve) -> None:
    served = serve(max_queued_cells=3)
    with busy(served) as pool:
        waiting = pool.submit(served.tag, text="plays well with others")
        queued(served, 1)
        problem_of(served.client.post("/tag", content=b"{no json"), 400, "malformed_json")
        problem_of(served.post("/tag", text="a"), 429, "overloaded")
        response = served.client.post("/tag", content=b"{no json", headers={"X-Request-ID": "mine"})
        document = problem_of(response, 429, "overloaded")
        assert document["request_id"] == response.headers["x-request-id"] == "mine"
        assert int(response.headers["retry-after"]) >= 1
        assert "server-timing" in response.headers
        assert served.metric("ribbon_requests_total", route="/tag", status="429") == 2
        assert served.metric("ribbon_errors_total", kind="overloaded") == 2
        assert served.client.get("/health/ready").status_code == 200
    assert waiting.result()


def test_no_more_are_inside_than_may_be(serve: Serve) -> None:
    served = serve(max_requests=2)
    with busy(served) as pool:
        waiting = pool.submit(served.tag, text="well")
        queued(served, 1)
        problem_of(served.post("/classify", text="a"), 429, "overloaded")
    assert waiting.result()
    assert served.classify(text="good")


class Nothing:
    """An application, a catalogue and a scheduler that refuses until it is told otherwise."""

    def __init__(self) -> None:
        self.refuses = True
        self.density = Density()
        self.deadlines: list[float] = []
        self.passed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.passed += 1
        scope["state"]["exchange"].kind = "overloaded" if self.refuses else None

    @property
    def scheduler(self) -> Nothing:
        return self

    def of_task(self, task: str) -> list[Any]:
        return [self]

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        self.deadlines.append(deadline)
        if self.refuses or tokens > 100:
            raise OverloadedError("full", retry_after_seconds=2.5)


def relief_of(nothing: Nothing) -> ReliefMiddleware:
    lag = LoopLag(metrics=Metrics())
    return ReliefMiddleware(
        nothing, catalogue=cast("Catalogue", nothing), lag=lag, default_timeout_ms=1000, max_inside=9
    )


async def ask(relief: ReliefMiddleware, *, length: bytes = b"20") -> list[Any]:
    """What is sent; nothing may be read."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the body was read")

    exchange = Exchange(request_id="x", started_at=50.0)
    scope: Any = {"type": "http", "method": "POST", "path": "/tag", "state": {"exchange": exchange}}
    scope["headers"] = [(b"content-length", length)]
    await relief(cast("HTTPScope", scope), receive, send)
    return sent


def test_once_one_was_refused_further_in_the_next_are_refused_before_they_are_read() -> None:
    async def scenario() -> None:
        nothing = Nothing()
        relief = relief_of(nothing)
        assert await ask(relief) == []
        assert (nothing.passed, nothing.deadlines) == (1, [])
        start, _ = await ask(relief)
        assert (start["status"], nothing.passed, nothing.deadlines) == (429, 1, [51.0])
        assert (b"retry-after", b"3") in start["headers"]
        nothing.refuses = False
        assert await ask(relief) == []
        assert nothing.passed == 2

    asyncio.run(scenario())


def test_a_body_that_is_too_large_to_be_answered_in_time_is_not_read() -> None:
    async def scenario() -> None:
        nothing = Nothing()
        relief = relief_of(nothing)
        await ask(relief)
        nothing.refuses = False
        nothing.density.learn(length=5000, cost=1000)
        for length in (b"", b"none", b"100", b"1000"):
            assert await ask(relief, length=length) == []
        assert nothing.passed == 5
        start, _ = await ask(relief, length=b"1100")
        assert (start["status"], nothing.passed) == (429, 5)

    asyncio.run(scenario())


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
        ("/translate", "a" * MAX_SOURCE_TOKENS, MAX_SOURCE_TOKENS + 3, MAX_SOURCE_TOKENS),
    ],
)
def test_what_one_run_may_not_take_is_refused_with_limit_and_length(
    served: Served, route: str, text: str, length: int, limit: int
) -> None:
    document = problem_of(served.post(route, text=["a", text]), 422, "input_too_long")
    [error] = document["errors"]
    assert error["path"] == "text[1]"
    assert f" of {length} tokens" in error["message"]
    assert f"at most {limit}" in error["message"]
    assert served.session.shapes == []

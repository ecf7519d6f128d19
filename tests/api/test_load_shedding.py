"""Priorities, and refusals that cost nothing: before a body is read."""

from __future__ import annotations

from typing import Any, cast

import pytest

from service.api.load_shedding import ACTIVE_SECONDS, CACHE_SECONDS, LoadShedder
from service.errors import OverloadedError
from service.scheduling.job import Priority
from service.scheduling.latency import TokensPerCharacter
from tests.api.conftest import Serve, Served, wait_until
from tests.api.test_bad_input import every_route, problem_of
from tests.api.test_context import busy, queued
from tests.fakes import MAX_TOKENS


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
        for path in ("/classify", "/tag/", "/tag//"):
            problem_of(served.client.post(path, json={"text": "a"}), 429, "overloaded")
    assert waiting.result()
    assert served.classify(text="good")


class FakeRegistry:
    """Of one model, and its scheduler, which refuses until it is told otherwise. Its clock stands still."""

    def __init__(self) -> None:
        self.refuses = True
        self.tokens_per_character = TokensPerCharacter()
        self.deadlines: list[float] = []
        self.now = 50.0
        self.load_shedder = LoadShedder(registry=cast("Any", self), default_timeout_ms=1000, clock=lambda: self.now)
        self.load_shedder.record_refusal()

    @property
    def scheduler(self) -> FakeRegistry:
        return self

    def of_task(self, task: str) -> list[Any]:
        return [self]

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        self.deadlines.append(deadline)
        if self.refuses or tokens > 100:
            raise OverloadedError("full", retry_after_seconds=2.5)

    def refuses_head(self, **headers: bytes) -> bool:
        raw = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
        return self.load_shedder.refusal("/tag", raw) is not None


def test_heads_are_looked_at_for_a_second_after_a_request_was_refused_that_had_been_read() -> None:
    registry = FakeRegistry()
    load_shedder = registry.load_shedder
    registry.now += ACTIVE_SECONDS
    assert load_shedder.is_active
    assert registry.refuses_head()
    assert registry.deadlines == [50.0 + ACTIVE_SECONDS + 1.0]
    registry.now += 0.1
    assert not load_shedder.is_active  # a look guesses, and would keep itself going
    load_shedder.record_refusal()
    assert load_shedder.is_active


def test_a_body_that_is_too_large_to_be_answered_in_time_need_not_be_read() -> None:
    registry = FakeRegistry()
    registry.refuses = False
    registry.tokens_per_character.learn(length=5000, cost=1000)
    for length in (b"", b"none", b"100", b"1000"):
        assert not registry.refuses_head(content_length=length)
    assert registry.refuses_head(content_length=b"1100")


def test_a_fresh_refusal_stands_for_all_that_ask_for_as_much_in_no_more_time() -> None:
    registry = FakeRegistry()
    first = {"content_length": b"100", "x_request_timeout_ms": b"300"}
    assert registry.refuses_head(**first)
    registry.refuses = False
    assert registry.refuses_head(**first)
    assert registry.refuses_head(content_length=b"120", x_request_timeout_ms=b"200")
    assert len(registry.deadlines) == 1
    for other in (
        first | {"content_length": b"90"},
        first | {"x_request_timeout_ms": b"400"},
        first | {"x_priority": b"bulk"},
    ):
        assert not registry.refuses_head(**other)
    registry.now += CACHE_SECONDS
    assert not registry.refuses_head(**first)
    assert len(registry.deadlines) == 5


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

"""Retries, deadlines and answers that are none, against a transport that answers by a list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from ribbon import (
    AsyncClient,
    CapacityError,
    Client,
    DeadlineExceededError,
    RequestError,
    Retries,
    ServiceError,
    UnreachableError,
)
from ribbon.answers import Problem
from ribbon.calls import CLASSIFY, BatchLimits, Calls, Send, Wait, batches_of
from ribbon.errors import error_of
from ribbon.retries import seconds_of

GOOD = {
    "model": {"name": "m", "version": "1"},
    "results": [{"label": "a", "score": 1, "scores": {}, "truncated": False}],
}
SWIFT = Retries(base_seconds=0.001)
Answer = Callable[[], httpx.Response]


def good() -> httpx.Response:
    return httpx.Response(200, json=GOOD)


def problem(status: int, kind: str, **headers: str) -> Answer:
    document = {
        "type": f"urn:ribbon:problem:{kind}",
        "title": kind,
        "status": status,
        "detail": "for people",
        "kind": kind,
        "request_id": "1",
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: httpx.Response(status, json=document, headers=named)


def refused() -> httpx.Response:
    raise httpx.ConnectError("nobody listens")


def silent() -> httpx.Response:
    raise httpx.ReadTimeout("nothing came")


class Answers(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers in turn, and what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = iter(answers)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        try:
            return next(self._answers)()
        except httpx.TransportError as error:
            error.request = request
            raise

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


def test_what_may_succeed_later_is_sent_again() -> None:
    answers = Answers(refused, problem(429, "overloaded"), problem(503, "not_ready"), good)
    with Client(transport=answers, retries=SWIFT) as client:
        assert client.classify("x").label == "a"
    assert len(answers.requests) == 4
    assert len({request.content for request in answers.requests}) == 1


def test_the_asynchronous_client_sends_again_too() -> None:
    async def ask() -> str | None:
        async with AsyncClient(transport=Answers(refused, problem(503, "not_ready"), good), retries=SWIFT) as client:
            return (await client.classify("x")).label

    assert asyncio.run(ask()) == "a"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(400, "malformed_json"), RequestError),
        (problem(422, "invalid_request"), RequestError),
        (problem(500, "internal_error"), ServiceError),
        (problem(504, "deadline_exceeded"), DeadlineExceededError),
    ],
)
def test_what_would_fail_again_is_not_sent_again(answer: Answer, kind: type[ServiceError]) -> None:
    answers = Answers(answer)
    with Client(transport=answers, retries=SWIFT) as client, pytest.raises(kind):
        client.classify("x")
    assert len(answers.requests) == 1


def test_the_last_failure_is_raised_when_retries_are_used_up() -> None:
    answers = Answers(*[problem(429, "rate_limited")] * 3)
    retries = Retries(max_retries=2, base_seconds=0.001)
    with Client(transport=answers, retries=retries) as client, pytest.raises(CapacityError, match="rate_limited"):
        client.classify("x")
    assert len(answers.requests) == 3


def steps(calls: Calls, outcomes: Sequence[Answer], **options: float) -> Iterator[Send | Wait]:
    """What a call does, given what comes of it."""
    call, remaining = calls.one(CLASSIFY, "x", options), iter(outcomes)
    step = next(call)
    while True:
        yield step
        outcome = next(remaining)() if isinstance(step, Send) else None
        try:
            step = call.send(outcome)
        except StopIteration:
            return


def waits_of(done: Iterator[Send | Wait]) -> list[float]:
    return [step.seconds for step in done if isinstance(step, Wait)]


def test_waits_double_and_are_drawn_from_their_second_half() -> None:
    calls = Calls(retries=Retries(base_seconds=1, max_seconds=3))
    waits = waits_of(steps(calls, [problem(503, "not_ready")] * 3 + [good]))
    for wait, most in zip(waits, [1, 2, 3], strict=True):
        assert most / 2 <= wait <= most


def test_retry_after_is_waited_for_and_more() -> None:
    calls = Calls(retries=Retries(base_seconds=1))
    (wait,) = waits_of(steps(calls, [problem(429, "overloaded", retry_after="7"), good]))
    assert 7.5 <= wait <= 8


@pytest.mark.parametrize(("retry_after", "options"), [("3600", {}), ("7", {"deadline_seconds": 5.0})])
def test_nobody_waits_for_what_comes_too_late(retry_after: str, options: dict[str, float]) -> None:
    done = steps(Calls(retries=Retries()), [problem(429, "overloaded", retry_after=retry_after)], **options)
    with pytest.raises(CapacityError):
        waits_of(done)


def test_the_deadline_is_told_and_shrinks_with_each_try() -> None:
    answers = Answers(problem(503, "not_ready"), good)
    retries = Retries(base_seconds=0.05)
    with Client(transport=answers, deadline_seconds=20, retries=retries) as client:
        client.classify("x")
    first, second = (float(request.headers["x-request-timeout-ms"]) for request in answers.requests)
    assert 19_000 < second < first - 20 < first <= 20_000


def test_without_a_deadline_none_is_told() -> None:
    answers = Answers(good)
    with Client(transport=answers) as client:
        client.classify("x")
    assert "x-request-timeout-ms" not in answers.requests[0].headers


def test_silence_is_a_deadline_that_passed() -> None:
    with Client(transport=Answers(silent)) as client, pytest.raises(DeadlineExceededError, match="within 3 seconds"):
        client.classify("x", deadline_seconds=3)


def test_options_of_every_task_become_headers_and_fields() -> None:
    answers = Answers(good)
    with Client(transport=answers, api_key="key") as client:
        client.classify("x", model="m", priority="bulk", truncate=True)
    (request,) = answers.requests
    assert request.headers["x-priority"] == "bulk"
    assert request.headers["x-api-key"] == "key"
    assert json.loads(request.content) == {"text": "x", "model": "m", "truncate": True}


def test_a_page_of_a_proxy_is_an_error_with_its_status() -> None:
    answers = Answers(lambda: httpx.Response(403, text="<html>Go away</html>"))
    with Client(transport=answers) as client, pytest.raises(RequestError, match="Go away") as found:
        client.classify("x")
    assert (found.value.status, found.value.kind) == (403, "no_problem_document")


def test_an_answer_of_another_service_is_named_as_such() -> None:
    answers = Answers(lambda: httpx.Response(200, json={"hello": "world"}))
    with Client(transport=answers) as client, pytest.raises(UnreachableError, match="not an answer of this API"):
        client.classify("x")


def test_retry_after_may_be_a_date() -> None:
    assert seconds_of("12") == 12
    soon = seconds_of(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    assert soon is not None
    assert 25 < soon <= 30
    assert seconds_of(format_datetime(datetime.now(UTC) - timedelta(seconds=30), usegmt=True)) == 0
    assert [seconds_of(None), seconds_of("soon")] == [None, None]


def test_errors_say_what_people_need_and_keep_what_programs_need() -> None:
    document = Problem(type="t", title="T", status=429, detail="too much", kind="overloaded", request_id="1")
    error = error_of(document, retry_after_seconds=3)
    assert str(error) == "too much (429 overloaded)"
    assert (error.problem, error.retry_after_seconds) == (document, 3)


def test_batches_have_no_more_texts_and_characters_than_they_may() -> None:
    texts = ["aaaa", "bbbb", "c", "d", "e", "ffffffffffff", "g"]
    batches = list(batches_of(texts, BatchLimits(max_items=3, max_characters=8)))
    assert [list(batch.texts) for batch in batches] == [["aaaa", "bbbb"], ["c", "d", "e"], ["ffffffffffff"], ["g"]]
    assert [batch.offset for batch in batches] == [0, 2, 5, 6]


def test_a_full_batch_does_not_wait_for_the_next_text() -> None:
    def texts() -> Iterator[str]:
        yield from "ab"
        raise AssertionError("it was read too far")

    assert next(batches_of(texts(), BatchLimits(max_items=2, max_characters=99))).texts == ["a", "b"]

"""Bodies that cannot be decoded are explained in bounded memory and time, beside the event loop if they are
large; all bodies of a process share one budget of memory."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from service.api.body import FREE_BYTES, LARGE, BodyBudget, decode, max_values_of
from service.api.context import RequestContext
from service.api.schemas import TagRequest, TranslateRequest
from service.api.side_thread import MemoryReturn
from service.errors import (
    MAX_REPORTED,
    InvalidRequestError,
    MalformedRequestError,
    RequestError,
    TooManyBodiesError,
)
from service.settings import Settings
from tests.api.test_bad_input import JSON_VALUES
from tests.application import JSON, NEEDED, Serve, Served, every_route, problem_of, wait_until
from tests.server import Run, read_answer, request

SIZE = 1024 * 1024  # bytes
SLACK = 8_000_000
MAX_VALUES = max_values_of(Settings())
MEMBERS = [b'""', b'"a"', b'"ab"', b"[]", b'["a"]', b"{}", b'{"":0}', b'{"a":{}}', b"1", b"1.5", b"null", rb'"\ud800"']
SURROGATE = rb'"\ud800"'


def refused(body: bytes, form: type = TagRequest) -> RequestError:
    with pytest.raises((InvalidRequestError, MalformedRequestError)) as raised:
        decode(body, form, MAX_VALUES)
    return raised.value


def peak_of(body: bytes) -> int:
    """Bytes that refusing a body takes at most, beside the body itself."""
    tracemalloc.start()
    try:
        refused(body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def repeated(member: bytes, size: int = SIZE) -> bytes:
    return b",".join([member] * (size // (len(member) + 1)))


def hostile() -> Iterator[bytes]:
    """Bodies that would take many times their size if they were parsed into objects."""
    for member in MEMBERS:
        for last in (b"5", SURROGATE):
            yield b'{"tokens": [%b, %b]}' % (repeated(member, SIZE // 4), last)
    yield b'{"tokens": [[%b, 5]]}' % repeated(b'"a"', SIZE)
    yield b'{"tokens": [%b]}' % repeated(b"[]", SIZE)
    yield b"{%b}" % repeated(b'"":0', SIZE)
    yield b"[" * SIZE
    yield b'{"x":' * (SIZE // 5)
    yield b'{"x":' * (SIZE // 5) + SURROGATE
    yield b"[" * (SIZE // 2) + repeated(SURROGATE, SIZE // 2)
    yield b'{"text": "%b", "x": 1}' % (b"a" * SIZE)
    yield ('{"text": "' + "a" * SIZE + '😀", "x": 1}').encode()
    yield b'{"text": "%b"}' % (rb"\ud800" * (SIZE // 6))
    yield b'{"text": "%b"}' % (rb"\n" * (SIZE // 2) + rb"\ud800")
    yield b'{"text": "%b"}' % (b"\\" * (SIZE - 1))
    yield b'{"%b": 1}' % (b"k" * SIZE)
    yield b'{"%b": %b}' % (b"k" * SIZE, SURROGATE)
    yield b'{"text": %b}' % (b"1" * SIZE)
    yield b"\xff" * SIZE
    yield b'{"text": "' + "é".encode() * (SIZE // 2) + b'\xc3"}'


def test_refusing_a_body_takes_at_most_four_times_its_size() -> None:
    for body in hostile():
        assert peak_of(body) <= 4 * len(body) + SLACK, f"{body[:40]!r} … {body[-40:]!r}"


TOKENS = st.lists(st.lists(st.sampled_from(["a", "\ud800", "b\udfff", "\ud83d c"]), max_size=6), max_size=12)


@given(TOKENS)
def test_every_token_with_a_lone_surrogate_is_named_up_to_a_number(tokens: list[list[str]]) -> None:
    wanted = [f"tokens[{i}][{j}]" for i, words in enumerate(tokens) for j, word in enumerate(words) if word != "a"]
    if wanted:
        errors = refused(json.dumps({"tokens": tokens}).encode()).errors
        assert [error.path for error in errors] == wanted[:MAX_REPORTED]
        assert {error.message for error in errors} == {"holds a lone surrogate, which no text can"}


@given(JSON_VALUES)
def test_what_is_unknown_is_named_whatever_it_holds(value: object) -> None:
    try:
        body = json.dumps({"text": "a", "x": value}, allow_nan=False).encode()
    except ValueError:  # JSON has no infinity
        reject()
    [error] = refused(body).errors
    assert (error.path, error.message[:13]) == ("x", "unknown field")


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_explained(body: bytes) -> None:
    for form in (TagRequest, TranslateRequest):
        with suppress(RequestError):
            decode(body, form, MAX_VALUES)


@pytest.mark.parametrize("size", [10, LARGE, LARGE + 100])
def test_what_is_not_utf8_is_told_by_its_byte(size: int) -> None:
    body = b'{"text": "' + "é".encode() * size + b'\xff"}'
    assert refused(body).detail == f"the body is not UTF-8 at byte {10 + 2 * size}"


@every_route
def test_a_byte_order_mark_is_skipped(served: Served, route: str) -> None:
    body = json.dumps({"text": "a", **NEEDED[route]}).encode()
    assert served.send(b"\xef\xbb\xbf" + body, route).json() == served.send(body, route).json()
    problem_of(served.send(b"\xef\xbb\xbf{", route), 400, "malformed_json")


@pytest.mark.parametrize(("first", "last"), [('{"text": "nobody", "text": "a"}', '{"text": "a"}')])
def test_of_repeated_keys_the_last_counts(served: Served, first: str, last: str) -> None:
    assert served.send(first).json() == served.send(last).json()


def test_a_whole_number_may_be_written_with_a_point(served: Served) -> None:
    """Schema and service agree: 4.0 is one, 4.5 is not."""

    def ask(beam_size: str) -> Any:
        numbers = f'"num_hypotheses": 20e-1, "max_length": 7.0, "beam_size": {beam_size}'
        return served.send(f'{{"text": "a b", "target": "es", {numbers}}}', "/translate")

    wanted = served.translate(text="a b", beam_size=4, num_hypotheses=2, max_length=7)
    for whole in ("4.0", "4e0", "40e-1"):
        assert ask(whole).json() == wanted
    for other in ("4.5", "1e300", "1e400"):
        assert problem_of(ask(other), 422, "invalid_request")["errors"][0]["path"] == "beam_size"


def test_more_values_than_any_request_may_have_are_refused_before_they_are_decoded(serve: Serve) -> None:
    served = serve(max_request_length=1000, max_items=10)
    detail = problem_of(served.send(b'{"text": [%b]}' % repeated(b'"a"', 2 * LARGE)), 422, "invalid_request")["detail"]
    assert detail.startswith("the body holds more than 536 texts, tokens and lists")
    assert served.send(b'{"text": "%b"}' % (b",[" * LARGE)).json()["kind"] == "input_too_long"


@pytest.mark.parametrize("size", [LARGE - 100, LARGE + 100])
def test_bodies_of_any_size_are_read_and_explained_alike(serve: Serve, size: int) -> None:
    served = serve(max_text_length=2 * LARGE, max_request_length=2 * LARGE)
    padding = " " * size
    assert served.send(f'{{"text": "plays well"{padding}}}').status_code == 200
    document = problem_of(served.send(f'{{"text": ["a", 5]{padding}}}'), 422, "invalid_request")
    assert document["errors"] == [{"path": "text[1]", "message": "Expected `str`, got `int`"}]


def test_a_large_bad_body_does_not_hold_up_others(serve: Serve) -> None:
    """While the side thread is busy, a bad body that is large waits for it, and a small one is answered."""
    served, gate = serve(), threading.Event()
    busy: Future[bool] = served.app.engine.side_executor.submit(gate.wait, 20)
    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(served.client.post, "/tag", content=b"{" + b" " * LARGE, headers=JSON)
        problem_of(served.send(b"{"), 400, "malformed_json")
        assert served.client.get("/health/live").status_code == 200
        assert not large.done()
        gate.set()
        problem_of(large.result(), 400, "malformed_json")
    assert busy.result()


HELD = 100_000  # bytes of a held body
HOLDERS = 3
HEAD = b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


def test_bodies_beyond_the_budget_are_refused_small_ones_never_and_all_is_given_back(run: Run) -> None:
    running = run(max_text_length=8000, max_request_length=8000, max_body_bytes=HELD, max_bodies_bytes=2 * HELD)
    budget = running.app.requests._bodies
    assert budget.held == 0
    with ExitStack() as stack:
        for number in range(HOLDERS):
            holder = stack.enter_context(running.call(HEAD % HELD + b" " * (HELD - 1)))
            if number < 2:
                wait_until(lambda held=number + 1: budget.held >= held * (HELD - FREE_BYTES - 1))
        status, headers, document = read_answer(holder)
        assert (status, document["kind"], headers["retry-after"]) == (503, "too_many_bodies", "1")
        small = stack.enter_context(running.call(request("/tag", text="Alice")))
        assert read_answer(small)[0] == 200
    wait_until(lambda: budget.held == 0)
    with running.call(request("/tag", text="Alice" + " " * (FREE_BYTES // 4))) as caller:
        assert read_answer(caller)[0] == 200
    assert running.errors("too_many_bodies") == 1


def test_a_compressed_body_counts_as_large_as_it_becomes(run: Run) -> None:
    running = run(max_text_length=8000, max_request_length=8000, max_body_bytes=HELD, max_bodies_bytes=HELD)
    compressed = gzip.compress(b'{"text": "Alice"}'.ljust(HELD - FREE_BYTES))
    sent = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") % len(compressed) + compressed
    with running.call(HEAD % HELD + b" " * (HELD - 1)), running.call(sent) as caller:
        status, headers, document = read_answer(caller)
        assert (status, document["kind"], headers["retry-after"]) == (503, "too_many_bodies", "1")
    wait_until(lambda: running.app.requests._bodies.held == 0)
    with running.call(sent) as caller:
        assert read_answer(caller)[0] == 200
    wait_until(lambda: running.app.requests._bodies.held == 0)


@pytest.mark.parametrize("sizes", [[10], [FREE_BYTES], [FREE_BYTES + 1], [5, FREE_BYTES, 3 * FREE_BYTES]])
def test_what_was_added_is_removed(sizes: list[int]) -> None:
    async def scenario(executor: ThreadPoolExecutor) -> None:
        budget, context, before = BodyBudget(1, MemoryReturn(executor)), RequestContext(request_id="1"), 0
        for size in sizes:
            if size > FREE_BYTES + 1:
                with pytest.raises(TooManyBodiesError):
                    budget.add(context, size - before)
            else:
                budget.add(context, size - before)
            before = size
        assert budget.held == max(0, before - FREE_BYTES)
        budget.remove(context)
        assert budget.held == 0

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(scenario(executor))

"""All bodies of a process share one budget of memory, and give it back however their requests end."""

from __future__ import annotations

import asyncio
import gzip
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from service.api.body_budget import FREE_BYTES, BodyBudget
from service.api.context import RequestContext
from service.api.side_thread import MemoryReturn
from service.errors import TooManyBodiesError
from tests.api.conftest import wait_until
from tests.api.listening import Run, read_answer, request

SIZE = 100_000  # bytes of a held body
HOLDERS = 3
HEAD = b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


def test_bodies_beyond_the_budget_are_refused_small_ones_never_and_all_is_given_back(run: Run) -> None:
    running = run(max_text_length=8000, max_request_length=8000, max_body_bytes=SIZE, max_bodies_bytes=2 * SIZE)
    budget = running.app.requests._bodies
    assert budget.held == 0
    with ExitStack() as stack:
        for number in range(HOLDERS):
            holder = stack.enter_context(running.call(HEAD % SIZE + b" " * (SIZE - 1)))
            if number < 2:
                wait_until(lambda held=number + 1: budget.held >= held * (SIZE - FREE_BYTES - 1))
        status, headers, document = read_answer(holder)
        assert (status, document["kind"], headers["retry-after"]) == (503, "too_many_bodies", "1")
        small = stack.enter_context(running.call(request("/tag", text="Alice")))
        assert read_answer(small)[0] == 200
    wait_until(lambda: budget.held == 0)
    with running.call(request("/tag", text="Alice" + " " * (FREE_BYTES // 4))) as caller:
        assert read_answer(caller)[0] == 200
    assert running.errors("too_many_bodies") == 1


def test_a_compressed_body_counts_as_large_as_it_becomes(run: Run) -> None:
    running = run(max_text_length=8000, max_request_length=8000, max_body_bytes=SIZE, max_bodies_bytes=SIZE)
    compressed = gzip.compress(b'{"text": "Alice"}'.ljust(SIZE - FREE_BYTES))
    sent = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") % len(compressed) + compressed
    with running.call(HEAD % SIZE + b" " * (SIZE - 1)), running.call(sent) as caller:
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

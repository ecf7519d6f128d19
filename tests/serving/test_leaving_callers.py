"""Callers who leave before they are answered: they are noticed, and nothing of them is left."""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import threading
import time

import pytest

from bench.client import Address, Request, text_request
from bench.departure import vanish
from service.api.context import WATCH_AFTER_SECONDS, watching_for_disconnect
from tests.application import wait_until
from tests.server import Run, read_answer, request

NUM_CALLERS = 200
GAUGES = ("ribbon_queue_rows", "ribbon_queue_cells", "ribbon_decoder_live_rows", "ribbon_requests_in_flight")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell that a connection was reset")


def requests() -> list[Request]:
    texts = ["Alice plays well", "plays well with others"]
    return [
        text_request(path, [text] * number, num_words=1, wishes={"target": "es"} if path == "/translate" else {})
        for path in ("/tag", "/classify", "/translate")
        for text in texts
        for number in (1, 8)
    ]


def test_after_a_storm_of_departures_every_gauge_is_0(run: Run) -> None:
    running = run()
    running.session.seconds = 0.001
    sample = running.app.engine.metrics.registry.get_sample_value
    threads = threading.active_count()
    running.hold()  # nothing is answered: all of them leave in vain
    stop = threading.Timer(1.0, running.session.gate.set)
    stop.start()
    vanish(Address(host="127.0.0.1", port=running.port), requests(), NUM_CALLERS, random.Random(1))
    wait_until(lambda: all(sample(name) == 0 for name in GAUGES))
    assert running.errors("caller_left")
    stop.join()
    assert threading.active_count() <= threads
    with running.call(request("/tag", text="Alice")) as caller:
        assert read_answer(caller)[0] == 200


@pytest.mark.parametrize("num_requests", [pytest.param(1, marks=on_linux), 2])
def test_one_who_sent_requests_and_left_is_noticed(
    run: Run, caplog: pytest.LogCaptureFixture, num_requests: int
) -> None:
    running = run(threads=1)
    running.hold()
    with running.call(request("/tag", text="well") * num_requests):
        wait_until(lambda: bool(running.session.shapes))
    wait_until(lambda: running.errors("caller_left") == 1)
    running.session.gate.set()
    wait_until(lambda: not running.connections)
    assert len(running.session.shapes) == 1  # a second request was never begun
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("leaves_after", [0.0, 2 * WATCH_AFTER_SECONDS])
def test_a_caller_who_leaves_is_noticed_once_and_no_task_is_left(leaves_after: float) -> None:
    async def scenario() -> None:
        left: list[float] = []

        async def receive() -> dict[str, str]:
            await asyncio.sleep(leaves_after)
            return {"type": "http.disconnect"}

        began_at = time.monotonic()
        with watching_for_disconnect(receive, lambda: left.append(time.monotonic())):  # type: ignore[arg-type]
            await asyncio.sleep(max(0.01, leaves_after))
            assert not left
            await asyncio.sleep(4 * WATCH_AFTER_SECONDS)
        assert len(left) == 1
        assert left[0] - began_at >= WATCH_AFTER_SECONDS + leaves_after - 0.005
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("seconds", [0.0, 2 * WATCH_AFTER_SECONDS])
def test_a_watch_ends_with_what_it_watches_and_never_begins_for_a_quick_answer(seconds: float) -> None:
    async def scenario() -> None:
        is_watched = asyncio.Event()

        async def receive() -> dict[str, str]:
            is_watched.set()
            await asyncio.Event().wait()
            return {}

        with watching_for_disconnect(receive, lambda: None):  # type: ignore[arg-type]
            await asyncio.sleep(seconds)
        await asyncio.sleep(2 * WATCH_AFTER_SECONDS)
        assert is_watched.is_set() == bool(seconds)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())

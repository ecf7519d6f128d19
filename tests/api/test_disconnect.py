"""A small storm of callers who vanish, over real connections: nothing of them is left."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from bench.client import Address, Request, text_request
from bench.departure import vanish
from service.api.context import WATCH_AFTER_SECONDS, watching_for_disconnect
from service.app import create_app
from service.metrics import Metrics
from tests.api.conftest import wait_until
from tests.fakes import FakeSession, OpenFake, settings_for, write_bundle, write_classifier, write_translator

NUM_CALLERS = 200
GAUGES = ("ribbon_queue_rows", "ribbon_queue_cells", "ribbon_decoder_live_rows", "ribbon_requests_in_flight")


class Listening:
    """The application on a port of its own, in a thread."""

    def __init__(self, models: Path, session: FakeSession) -> None:
        app = create_app(settings_for(models), open_session=OpenFake(session))
        config = uvicorn.Config(app, port=0, lifespan="on", log_config=None, access_log=False)
        self.metrics: Metrics = app.engine.metrics
        self.lifecycle = app.lifecycle
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)
        self.tasks = 0

    @property
    def address(self) -> Address:
        return Address(host="127.0.0.1", port=self.server.servers[0].sockets[0].getsockname()[1])

    def gauge(self, name: str) -> float:
        value = self.metrics.registry.get_sample_value(name)
        assert value is not None
        return value


@contextmanager
def listening(models: Path, session: FakeSession) -> Iterator[Listening]:
    write_bundle(models)
    write_classifier(models)
    write_translator(models)
    each = Listening(models, session)
    each.thread.start()
    try:
        wait_until(lambda: each.server.started and each.lifecycle.phase.value == "ready")
        yield each
    finally:
        session.gate.set()
        each.server.should_exit = True
        each.thread.join(20)


def requests() -> list[Request]:
    texts = ["Alice plays well", "plays well with others"]
    return [
        text_request(path, [text] * number, num_words=1, wishes={"target": "es"} if path == "/translate" else {})
        for path in ("/tag", "/classify", "/translate")
        for text in texts
        for number in (1, 8)
    ]


def test_after_a_storm_of_departures_every_gauge_is_0(tmp_path: Path) -> None:
    session = FakeSession(seconds=0.001)
    with listening(tmp_path, session) as service:
        threads = threading.active_count()
        session.gate.clear()  # nothing is answered: all of them leave in vain
        stop = threading.Timer(1.0, session.gate.set)
        stop.start()
        vanish(service.address, requests(), NUM_CALLERS, random.Random(1))
        wait_until(lambda: all(service.gauge(name) == 0 for name in GAUGES))
        assert service.metrics.registry.get_sample_value("ribbon_errors_total", {"kind": "caller_left"})
        stop.join()
        assert threading.active_count() <= threads
        with socket.create_connection((service.address.host, service.address.port), timeout=20) as caller:
            caller.sendall(requests()[0].content)
            assert caller.recv(12) == b"HTTP/1.1 200"


def test_a_caller_who_leaves_early_is_noticed_and_no_task_is_left() -> None:
    async def scenario() -> None:
        left: list[float] = []

        async def receive() -> dict[str, str]:
            return {"type": "http.disconnect"}

        began_at = time.monotonic()
        with watching_for_disconnect(receive, lambda: left.append(time.monotonic())):  # type: ignore[arg-type]
            await asyncio.sleep(0.01)
            assert not left
            await asyncio.sleep(4 * WATCH_AFTER_SECONDS)
        assert len(left) == 1
        assert left[0] - began_at >= WATCH_AFTER_SECONDS - 0.005
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("seconds", [0.0, 2 * WATCH_AFTER_SECONDS])
def test_a_watch_ends_with_what_it_watches(seconds: float) -> None:
    async def scenario() -> None:
        async def receive() -> dict[str, str]:
            await asyncio.Event().wait()
            return {}

        with watching_for_disconnect(receive, lambda: None):  # type: ignore[arg-type]
            await asyncio.sleep(seconds)
        await asyncio.sleep(2 * WATCH_AFTER_SECONDS)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())

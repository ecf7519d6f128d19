"""No single piece of work of a request keeps the event loop for long, whatever its body holds, and how late the loop
is, is observed.

The application is asked by ASGI in a loop that measures the processor time of each of its rounds: time in which a busy
machine runs something else is not counted.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from service.api.middleware import BEAT_SECONDS, EventLoopLag
from service.app import App, create_app
from service.metrics import Metrics
from tests.application import NEEDED, write_one_each
from tests.fakes import FakeSession, OpenFake, settings_for

LONGEST_SECONDS = 0.020
TRIES = 3  # of which the best counts: a collection of garbage may fall into any
TEXT = 8000  # characters: nearly the longest that is read on the loop
HOSTILE = ["a", "é", "😀", " ", "I ", "<b>", "{0} ", "\u0301", "U.S.", "''"]
SURROGATE = rb'"\ud800"'


class TimedLoop(asyncio.SelectorEventLoop):
    """Event loop that keeps the longest processor time of its rounds."""

    longest_seconds = 0.0

    def _run_once(self) -> None:
        began = time.thread_time()
        super()._run_once()  # type: ignore[misc]
        self.longest_seconds = max(self.longest_seconds, time.thread_time() - began)


def repeated(member: bytes, size: int) -> bytes:
    return b",".join([member] * (size // (len(member) + 1)))


def bodies(size: int) -> Iterator[tuple[str, bytes]]:
    """Paths and bodies, most of which are refused."""
    yield "/tag", b'{"text": ' + (b'{"%b": ' % (b"k" * 4600)) * (size // 4606) + SURROGATE
    yield "/tag", b"\x01" * size
    yield "/tag", b'{"text": %b}' % (b"1" * size)
    for member in (b"1", b'"a"', b"[]", b'["a"]', b"{}", SURROGATE):
        yield "/tag", b'{"tokens": [%b]}' % repeated(member, size)
        yield "/tag", b'{"text": [%b]}' % repeated(member, size)
        yield "/tag", b'{"tokens": [%b]}' % repeated(member, 16_000)
    yield "/tag", b'{"tokens": [%b]}' % repeated(b"[%b]" % repeated(b'"a"', 90_000), 260_000)
    yield "/tag", b'{"tokens": [%b]}' % repeated(b"[%b]" % repeated(b'" "', 90_000), 260_000)
    yield "/tag", b"{%b}" % repeated(b'"text":"a"', size)
    yield "/tag", b"[" * size
    yield "/tag", b'{"text": "%b", "x": 1}' % (rb"\u00e9" * (size // 6 - 10))
    yield "/tag", b'{"text": "%b"}' % (rb"\ud800" * (size // 6 - 10))
    yield "/tag", b'{"%b": "a"}' % (b"k" * (size - 20))
    yield "/tag", b'{"text": "a", "offset_unit": "%b"}' % (b"k" * (size - 50))
    yield "/translate", b'{"text": "a", "target": "%b"}' % (b"k" * (size - 50))
    yield "/translate", b'{"text": "a", "target": "es", "beam_size": 4.%b}' % (b"0" * (size - 100))
    yield "/score", json.dumps({"text": ["a ___"] * 128, "choices": ["b"] * 128}).encode()
    yield "/generate", json.dumps({"prompt": ["a"] * 128, "state": "A" * 2**20}).encode()


def texts() -> Iterator[tuple[str, bytes]]:
    """Requests that are read on the loop, because they are just short enough."""
    for unit in HOSTILE:
        for path in ("/tag", "/classify", "/score"):
            fields: Mapping[str, Any] = {"text": unit * (TEXT // len(unit)), **NEEDED[path]}
            yield path, json.dumps(fields, ensure_ascii=False).encode()


async def post(app: App, path: str, body: bytes, method: str = "POST") -> int:
    """Return the status of the answer."""
    parts = [body[begin : begin + 65_536] for begin in range(0, max(1, len(body)), 65_536)]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False
    incoming, answered, statuses = iter(messages), asyncio.Event(), list[int]()

    async def receive() -> Any:
        if message := next(incoming, None):
            return message
        await answered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    await app(scope, receive, send)
    answered.set()
    return statuses[0]


async def ready(app: App) -> None:
    for _ in range(2000):
        if await post(app, "/tag", b'{"text": "plays"}') == 200:
            return
        await asyncio.sleep(0.01)


def test_no_body_keeps_the_loop_for_long(tmp_path: Path) -> None:
    write_one_each(tmp_path)
    settings = settings_for(tmp_path)
    app = create_app(settings, open_session=OpenFake(FakeSession()))

    async def scenario(loop: TimedLoop) -> None:
        async with app.litestar.lifespan():
            await ready(app)
            for path, body in [*bodies(settings.max_body_bytes - 200), *texts()]:
                spent = []
                for _ in range(TRIES):
                    loop.longest_seconds = 0.0
                    assert await post(app, path, body) in (200, 400, 404, 422, 429)
                    spent.append(loop.longest_seconds)
                    if spent[-1] <= LONGEST_SECONDS:
                        break
                assert min(spent) <= LONGEST_SECONDS, (path, body[:60], spent)

    loop = TimedLoop()
    try:
        loop.run_until_complete(scenario(loop))
    finally:
        loop.close()


PAGES = ("/schema", "/schema/openapi.json", "/schema/openapi.yaml", "/schema/openapi.yaml", "/models", "/metrics", "/")


def test_no_page_keeps_the_loop_for_long(tmp_path: Path) -> None:
    """Asked for the first time or again: a description in YAML takes a tenth of a second to write."""
    write_one_each(tmp_path)
    spent: dict[int, list[float]] = {place: [] for place in range(len(PAGES))}

    async def scenario(loop: TimedLoop, app: App) -> None:
        async with app.litestar.lifespan():
            await ready(app)
            for place, path in enumerate(PAGES):
                loop.longest_seconds = 0.0
                assert await post(app, path, b"", "GET") == 200, path
                spent[place].append(loop.longest_seconds)

    for _ in range(TRIES):
        loop = TimedLoop()
        try:
            loop.run_until_complete(
                scenario(loop, create_app(settings_for(tmp_path), open_session=OpenFake(FakeSession())))
            )
        finally:
            loop.close()
    assert [(path, min(spent[place])) for place, path in enumerate(PAGES) if min(spent[place]) > LONGEST_SECONDS] == []


LATE_SECONDS = 0.05


def test_a_loop_that_is_held_up_is_noticed_and_an_idle_one_sleeps() -> None:
    async def scenario() -> None:
        metrics = Metrics()
        lag, sample = EventLoopLag(metrics), metrics.registry.get_sample_value
        lag.is_needed = True
        lag.beat()
        time.sleep(BEAT_SECONDS + LATE_SECONDS)  # noqa: ASYNC251 (this holds the loop up)
        for _ in range(1000):
            await asyncio.sleep(BEAT_SECONDS)
            if not lag.is_beating:
                break
        assert (sample("ribbon_loop_lag_seconds_sum") or 0) >= LATE_SECONDS
        beats = sample("ribbon_loop_lag_seconds_count")
        await asyncio.sleep(3 * BEAT_SECONDS)
        assert sample("ribbon_loop_lag_seconds_count") == beats

    asyncio.run(scenario())

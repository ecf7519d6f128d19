"""Notices that a caller has disconnected, so that nothing is computed for a closed connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from litestar.types import Receive

WATCH_AFTER_SECONDS = 0.05  # a watch costs a task; most answers are there before it would be worth one


@contextmanager
def watching_for_disconnect(receive: Receive, on_left: Callable[[], None]) -> Iterator[None]:
    """Context manager that calls ``on_left`` if the connection closes meanwhile. The body must have been read."""
    watch: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    timer = loop.call_later(
        WATCH_AFTER_SECONDS, lambda: watch.append(loop.create_task(_wait_for_disconnect(receive, on_left)))
    )
    try:
        yield
    finally:
        timer.cancel()
        for task in watch:
            task.cancel()


async def _wait_for_disconnect(receive: Receive, on_left: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    on_left()

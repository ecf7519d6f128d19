from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager

from service.runtime.memory import when_gone

SOON_SECONDS = 0.01


class Thing:
    """Something large."""

    def __init__(self) -> None:
        self.other: object = None


@contextmanager
def without_collections() -> Iterator[None]:
    """As in a process where nothing happens."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_what_is_held_by_nobody_is_noticed_at_once() -> None:
    async def test() -> None:
        gone, thing = asyncio.Event(), Thing()
        when_gone(thing, gone.set, look_after_seconds=3600)
        assert not gone.is_set()
        del thing
        await asyncio.wait_for(gone.wait(), 60)

    asyncio.run(test())


def test_what_is_held_only_by_itself_is_looked_for() -> None:
    async def test() -> None:
        gone, thing = asyncio.Event(), Thing()
        thing.other = thing
        when_gone(thing, gone.set, look_after_seconds=SOON_SECONDS)
        del thing
        await asyncio.wait_for(gone.wait(), 60)

    with without_collections():
        asyncio.run(test())


def test_what_is_in_use_is_left_alone_and_looked_for_again() -> None:
    async def test() -> None:
        gone, thing = asyncio.Event(), Thing()
        thing.other = thing
        when_gone(thing, gone.set, look_after_seconds=SOON_SECONDS)
        await asyncio.sleep(10 * SOON_SECONDS)
        assert not gone.is_set()
        del thing
        await asyncio.wait_for(gone.wait(), 60)

    with without_collections():
        asyncio.run(test())

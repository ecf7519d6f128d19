"""Long work goes aside, short work stays."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.api.offload import LONG_TEXT, RELEASE_AFTER_SECONDS, Offload


@pytest.mark.parametrize(("length", "is_aside"), [(0, False), (LONG_TEXT, False), (LONG_TEXT + 1, True)])
def test_the_length_decides_where(length: int, is_aside: bool) -> None:
    async def scenario(executor: ThreadPoolExecutor) -> None:
        offload = Offload(executor)
        thread = await offload(length, threading.current_thread)
        assert (thread is not threading.current_thread()) == is_aside
        assert await offload(length, int, "11", base=2) == 3

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(scenario(executor))


def test_memory_is_given_back_afterwards_even_if_the_service_has_ended() -> None:
    async def scenario(executor: ThreadPoolExecutor) -> None:
        offload = Offload(executor)
        with pytest.raises(ZeroDivisionError):
            await offload(LONG_TEXT + 1, lambda: 1 // 0)
        await asyncio.sleep(2 * RELEASE_AFTER_SECONDS)
        await offload(LONG_TEXT + 1, list)
        executor.shutdown()
        await asyncio.sleep(2 * RELEASE_AFTER_SECONDS)

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(scenario(executor))

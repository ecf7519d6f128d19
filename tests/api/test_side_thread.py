"""Long work goes aside, short work stays."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.api.side_thread import LONG_TEXT, MAX_WAITING, RELEASE_AFTER_SECONDS, SideThread
from service.errors import OverloadedError


@pytest.mark.parametrize(("length", "is_aside"), [(0, False), (LONG_TEXT, False), (LONG_TEXT + 1, True)])
def test_the_length_decides_where(length: int, is_aside: bool) -> None:
    async def scenario(executor: ThreadPoolExecutor) -> None:
        side_thread = SideThread(executor)
        thread = await side_thread(length, threading.current_thread)
        assert (thread is not threading.current_thread()) == is_aside
        assert await side_thread(length, int, "11", base=2) == 3

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(scenario(executor))


def test_memory_is_given_back_afterwards_even_if_the_service_has_ended() -> None:
    async def scenario(executor: ThreadPoolExecutor) -> None:
        side_thread = SideThread(executor)
        with pytest.raises(ZeroDivisionError):
            await side_thread(LONG_TEXT + 1, lambda: 1 // 0)
        await asyncio.sleep(2 * RELEASE_AFTER_SECONDS)
        await side_thread(LONG_TEXT + 1, list)
        executor.shutdown()
        await asyncio.sleep(2 * RELEASE_AFTER_SECONDS)

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(scenario(executor))


def test_beyond_the_limit_of_waiting_work_a_text_is_refused_and_nobody_who_is_inside() -> None:
    async def scenario(executor: ThreadPoolExecutor) -> None:
        side_thread, gate = SideThread(executor), threading.Event()
        side_thread.check(2 * MAX_WAITING)  # nothing waits
        waiting = [asyncio.create_task(side_thread(LONG_TEXT + 1, gate.wait, 20)) for _ in range(3)]
        await asyncio.sleep(0)
        side_thread.check(LONG_TEXT + 1)
        with pytest.raises(OverloadedError) as raised:
            side_thread.check(MAX_WAITING)
        assert raised.value.retry_after_seconds == 1
        gate.set()
        assert await asyncio.gather(*waiting) == [True] * 3
        assert side_thread.waiting == 0

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(scenario(executor))

"""The event loop's lateness counts against every promise."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from service.errors import OverloadedError
from service.metrics import Metrics
from service.scheduling.batcher import Batcher
from service.scheduling.event_loop_lag import BEAT_SECONDS, EventLoopLag
from service.scheduling.thread_pool import ThreadPool
from tests.fakes import FakeClock

FOREVER = 1e12


async def beat(lag: EventLoopLag, clock: FakeClock, *, late: float) -> None:
    """One of its timers rings so much too late."""
    lag.watch()
    clock.now += BEAT_SECONDS + late
    await asyncio.sleep(2 * BEAT_SECONDS)


def test_a_loop_that_is_always_late_is_noticed_and_one_that_was_once_is_not() -> None:
    async def scenario() -> None:
        clock = FakeClock()
        lag = EventLoopLag(metrics=Metrics(), clock=clock)
        await beat(lag, clock, late=0.1)
        assert 0 < lag.seconds <= 0.03
        for _ in range(15):
            await beat(lag, clock, late=0.1)
        assert lag.seconds > 0.03  # every other beat may have been in time
        assert lag.allowance_seconds > 0.1
        for _ in range(100):
            if not lag.is_beating:
                break
            clock.now += BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
        assert lag.seconds < BEAT_SECONDS
        assert not lag.is_beating  # an idle service sleeps

    asyncio.run(scenario())


def test_while_others_wait_it_is_part_of_the_prediction() -> None:
    async def scenario() -> None:
        clock, row = FakeClock(), np.ones(4, np.int32)
        lag = EventLoopLag(metrics=Metrics(), clock=clock)
        with ThreadPoolExecutor(1) as executor:
            thread_pool = ThreadPool(executor, num_threads=1, max_cells=8, lag=lag, clock=clock)
            batcher: Batcher[int] = Batcher(
                lambda batch: [0] * len(batch.lengths),
                thread_pool=thread_pool,
                max_queued_cells=1000,
                metrics=Metrics(),
                clock=clock,
            )
            lag.seconds = 0.1
            batcher.check(deadline=clock.now + 0.05)  # nothing waits
            first = batcher.enqueue([row] * 9, deadline=FOREVER)
            with pytest.raises(OverloadedError):
                batcher.enqueue([row], deadline=clock.now + 0.05)
            batcher.enqueue([row], deadline=clock.now + 0.5)
            await first.done

    asyncio.run(scenario())

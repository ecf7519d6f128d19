"""How late the event loop is, is observed while requests come; an idle one sleeps."""

from __future__ import annotations

import asyncio
import time

from service.api.load import BEAT_SECONDS, EventLoopLag
from service.metrics import Metrics

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

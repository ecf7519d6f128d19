"""A decoder whose model makes one step at a time, and a tagger on the same threads: to look between two steps."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from service.decoding.beam_search import BeamSearch
from service.decoding.decoder import Decoder
from service.decoding.search import EncoderOutputs, Hypotheses, Search, StepInputs, StepOutputs
from service.metrics import Metrics
from service.scheduling.batcher import Batcher
from service.scheduling.job import Job
from service.scheduling.thread_pool import ThreadPool
from service.text.pipeline import Batch
from tests.decoding.invented_model import BOS, EOS, InventedModel
from tests.fakes import FakeClock

FOREVER = 1e12
BROKEN = 97  # a source that holds it breaks the step it is in


@dataclass(eq=False)
class PacedModel:
    """The invented model, one step at a time: while it is held each step waits for its permit."""

    model: InventedModel = field(default_factory=lambda: InventedModel(eos_bonus=-9.0))
    clock: FakeClock = field(default_factory=FakeClock)
    is_held: bool = False
    permits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))  # at a step
    rows: list[int] = field(default_factory=list)  # of each step
    bos_id: int = BOS
    eos_id: int = EOS

    def encode(self, batch: Batch) -> EncoderOutputs:
        return self.model.encode(batch)

    def step(self, inputs: StepInputs) -> StepOutputs:
        self.rows.append(len(inputs.tokens))
        self.arrived.release()
        if self.is_held:
            assert self.permits.acquire(timeout=20)
        self.clock.now += 0.001
        if (inputs.memories["source"] == BROKEN).any():
            raise RuntimeError("a secret text")
        return self.model.step(inputs)

    def surface(self, ids: Sequence[int]) -> str:
        return self.model.surface(ids)


@dataclass(eq=False)
class Bench:
    model: PacedModel
    decoder: Decoder
    batcher: Batcher[int]
    metrics: Metrics
    clock: FakeClock
    tagged: list[float] = field(default_factory=list)  # readings of the clock

    async def at_step(self) -> None:
        """Until the model is about to make one."""
        async with asyncio.timeout(20):
            await asyncio.to_thread(self.model.arrived.acquire)

    async def hold(self, *searches: Search) -> Job[Hypotheses]:
        """Start to decode these, and stop before the first step."""
        self.model.is_held = True
        job = self.decoder.enqueue(searches, deadline=FOREVER)
        await self.at_step()
        return job

    async def next_step(self) -> None:
        """Let one step be made, and wait for the one after it."""
        self.model.permits.release()
        await self.at_step()

    def let_go(self) -> None:
        self.model.is_held = False
        self.model.permits.release(1000)

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@contextmanager
def bench(*, num_threads: int = 1, max_rows: int = 64, max_queued_cells: int = 10_000) -> Iterator[Bench]:
    model, metrics = PacedModel(), Metrics()
    with ThreadPoolExecutor(num_threads) as executor:
        thread_pool = ThreadPool(executor, num_threads=num_threads, max_cells=64, clock=model.clock)
        decoder = Decoder(
            lambda: BeamSearch(model, max_rows=max_rows),
            thread_pool=thread_pool,
            max_queued_cells=max_queued_cells,
            metrics=metrics,
            clock=model.clock,
        )

        def run(batch: Batch) -> list[int]:
            each.tagged.append(model.clock.now)
            return batch.ids[:, 0].tolist()

        batcher = Batcher(run, thread_pool=thread_pool, max_queued_cells=10_000, metrics=metrics, clock=model.clock)
        each = Bench(model, decoder, batcher, metrics, model.clock)
        yield each
        each.let_go()


def run(scenario: Callable[[Bench], Awaitable[None]], **options: int) -> None:
    async def main(each: Bench) -> None:
        await asyncio.wait_for(scenario(each), timeout=20)
        await asyncio.sleep(0.01)
        assert (each.decoder.queued_rows, each.decoder.queued_cells, each.decoder.oldest_age_seconds) == (0, 0, 0)
        assert each.decoder.live_rows == 0

    with bench(**options) as each:
        asyncio.run(main(each))

"""Sentences for the decoding engine, at the moments of a trace or as fast as it takes them; all in this process."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.translation import num_target_tokens
from service.decoding.beam_search import BeamSearch
from service.decoding.decoder import Decoder
from service.decoding.search import Hypotheses, Search, StepModel
from service.metrics import Metrics
from service.scheduling.job import Done, Job
from service.scheduling.thread_pool import ThreadPool

PATIENCE_SECONDS = 120.0
NO_BOUND = 1 << 40
MAX_CELLS = 1024  # of a run; nothing but translation runs here


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Due:
    """A request of one sentence that is due ``at`` seconds after the start."""

    at: float
    search: Search


@dataclass(slots=True, kw_only=True)
class Played:
    """Milliseconds."""

    latencies: list[float] = field(default_factory=list)  # from the moment a sentence was due
    lags: list[float] = field(default_factory=list)  # by which it came to the engine late


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturated:
    """The answers while there was always more to do."""

    seconds: float
    num_sentences: int
    num_target_tokens: int

    @property
    def sentences_per_second(self) -> float:
        return self.num_sentences / self.seconds

    @property
    def target_tokens_per_second(self) -> float:
        return self.num_target_tokens / self.seconds


def trace(searches: Sequence[Search], *, rate: float, seconds: float, seed: int) -> list[Due]:
    """Poisson arrivals, each sentence drawn at random. The same sentences in the same order at any rate of one seed,
    at moments that differ by the rate alone."""
    gaps, draw = random.Random(f"gaps {seed}"), random.Random(f"sentences {seed}")
    moments = itertools.accumulate(gaps.expovariate(1.0) / rate for _ in itertools.count())
    return [Due(at=at, search=draw.choice(searches)) for at in itertools.takewhile(lambda at: at < seconds, moments)]


@asynccontextmanager
async def decoding(
    model: StepModel, *, num_threads: int, max_rows: int, search_class: type[BeamSearch[Any]] = BeamSearch
) -> AsyncIterator[Decoder]:
    """The service's own decoder on threads of its own, with no bound to what may wait."""
    with ThreadPoolExecutor(num_threads) as executor:
        thread_pool = ThreadPool(executor, num_threads=num_threads, max_cells=MAX_CELLS)
        yield Decoder(
            lambda: search_class(model, max_rows=max_rows),
            thread_pool=thread_pool,
            max_queued_cells=NO_BOUND,
            metrics=Metrics(),
        )


async def play(decoder: Decoder, dues: Sequence[Due], *, warm_up_seconds: float) -> Played:
    """Send every sentence when it is due, whether or not earlier ones are answered, and wait for all; those due in
    the warm-up do not count. Raises what the first that fails does."""
    played, started = Played(), time.perf_counter()
    jobs: list[Job[Hypotheses]] = []
    for due in dues:
        await asyncio.sleep(max(0.0, started + due.at - time.perf_counter()))
        lag = time.perf_counter() - started - due.at
        jobs.append(decoder.enqueue([due.search], deadline=_deadline()))
        if due.at >= warm_up_seconds:
            played.lags.append(1e3 * lag)
            jobs[-1].done.add_done_callback(partial(_note, played.latencies, started + due.at))
    await asyncio.gather(*(job.done for job in jobs))
    return played


async def saturate(
    decoder: Decoder, searches: Sequence[Search], *, num_waiting: int, warm_up_seconds: float, seconds: float
) -> Saturated:
    """Keep so many sentences under way; what is answered after the warm-up counts."""
    draw, answers = random.Random(0), list[Hypotheses]()

    async def ask_on_and_on() -> None:
        while True:
            done = await decoder.enqueue([draw.choice(searches)], deadline=_deadline()).done
            answers.extend(done.answers)

    clients = [asyncio.create_task(ask_on_and_on()) for _ in range(num_waiting)]
    try:
        await _run_for(warm_up_seconds, clients)
        answers.clear()
        started = time.perf_counter()
        await _run_for(seconds, clients)
        return Saturated(
            seconds=time.perf_counter() - started,
            num_sentences=len(answers),
            num_target_tokens=num_target_tokens(answers),
        )
    finally:
        await _cancel(clients)


async def ask_alone(decoder: Decoder, search: Search, *, times: int) -> list[float]:
    """Milliseconds of one sentence with nobody else there, over and over."""
    latencies = []
    for _ in range(times):
        started = time.perf_counter()
        await decoder.enqueue([search], deadline=_deadline()).done
        latencies.append(1e3 * (time.perf_counter() - started))
    return latencies


def _deadline(clock: Callable[[], float] = time.monotonic) -> float:
    return clock() + PATIENCE_SECONDS


def _note(latencies: list[float], due_at: float, done: asyncio.Future[Done[Hypotheses]]) -> None:
    if not done.cancelled() and done.exception() is None:
        latencies.append(1e3 * (time.perf_counter() - due_at))


async def _run_for(seconds: float, clients: Sequence[asyncio.Task[None]]) -> None:
    """Raises what a client does: none ends by itself."""
    ended, _ = await asyncio.wait(clients, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for client in ended:
        client.result()


async def _cancel(clients: Sequence[asyncio.Task[None]]) -> None:
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)

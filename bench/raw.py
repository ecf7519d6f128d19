"""The network by itself: how many words a second onnxruntime does when nobody parses, queues or answers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from bench.model import Model
from bench.workload import Text, batches_of
from service.bundle import Task
from service.text.pipeline import Batch

BATCH_SIZES: Mapping[Task, Sequence[int]] = {
    "tag": (1, 2, 4, 8, 16, 32),
    "classify": (1, 2, 4, 8, 16, 32),
    "translate": (1, 4, 16, 64),  # sentences, of four hypotheses each
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSpeed:
    num_rows: int  # a batch
    words_per_second: float


def sweep(model: Model, texts: Sequence[Text], *, num_threads: int, seconds: float) -> list[RawSpeed]:
    """The speed at every batch size; the best of them is what HTTP is held against. Of a translator, the engine's."""
    return [
        measure(model, batches_of(texts, num_rows=num_rows), num_threads=num_threads, seconds=seconds)
        for num_rows in BATCH_SIZES[model.task]
    ]


def measure(model: Model, batches: Sequence[Batch], *, num_threads: int, seconds: float) -> RawSpeed:
    """One-thread runs side by side on one session, one per core, as the service runs them."""
    _work(model, batches, seconds / 10, 0)  # warm-up
    started = time.perf_counter()
    with ThreadPoolExecutor(num_threads) as pool:
        shares = [len(batches) * thread // num_threads for thread in range(num_threads)]
        num_words = sum(pool.map(partial(_work, model, batches, seconds), shares))
    elapsed = time.perf_counter() - started
    return RawSpeed(num_rows=max(len(batch.lengths) for batch in batches), words_per_second=num_words / elapsed)


def _work(model: Model, batches: Sequence[Batch], seconds: float, first: int) -> int:
    """Run batches from the given one on, round and round, until the time is over; the words done."""
    until = time.perf_counter() + seconds
    num_words, position = 0, first
    while time.perf_counter() < until:
        batch = batches[position % len(batches)]
        model.run(batch)
        num_words += int(batch.lengths.sum())
        position += 1
    return num_words

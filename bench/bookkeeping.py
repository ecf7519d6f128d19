"""Measure the cost of a decoder step beside the model: ``python -m bench.bookkeeping``.

The model only returns candidates made beforehand, so that all time is that of the engine. The figures are CPU time, so
that other processes on the machine do not count. Sentences end after 20 tokens on average and others take their place.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from service.decoding.beam_search import BeamSearch
from service.decoding.search import EncoderOutputs, Search, StepInputs, StepOutputs
from service.text.pipeline import Batch

HIDDEN, ANNOTATION, SOURCE_TOKENS, TARGET_TOKENS = 512, 1024, 14, 20
FIRST_WORD, NUM_WORDS = 4, 8000
EOS = 3


@dataclass(eq=False)
class IdleModel:
    """Candidates, scores and attention drawn beforehand for so many rows, a few times over."""

    max_rows: int
    num_candidates: int
    seed: int = 0
    seconds: float = 0.0  # spent in here
    bos_id: int = 2
    eos_id: int = EOS
    _drawn: list[StepOutputs] = field(default_factory=list)
    _num_steps: int = 0

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        for _ in range(16):
            shape = (self.max_rows, self.num_candidates)
            candidates = random.integers(FIRST_WORD, NUM_WORDS, shape, dtype=np.int32)
            candidates[random.random(self.max_rows) < 1 / TARGET_TOKENS, 0] = EOS
            scores = -np.cumsum(random.exponential(1.0, shape), axis=1).astype(np.float32)
            state = random.standard_normal((self.max_rows, HIDDEN), np.float32)
            attention = random.random((self.max_rows, 16), np.float32)
            self._drawn.append(StepOutputs(state=state, scores=scores, candidates=candidates, attention=attention))

    def encode(self, batch: Batch) -> EncoderOutputs:
        began_at = time.thread_time()
        memories = {"annotations": np.ones((*batch.ids.shape, ANNOTATION), np.float32)}
        encoded = EncoderOutputs(state=np.zeros((len(batch.ids), HIDDEN), np.float32), memories=memories)
        self.seconds += time.thread_time() - began_at
        return encoded

    def step(self, inputs: StepInputs) -> StepOutputs:
        began_at = time.thread_time()
        drawn, rows, size = self._drawn[self._num_steps % 16], len(inputs.tokens), inputs.num_candidates
        self._num_steps += 1
        outputs = StepOutputs(
            state=drawn.state[:rows],
            scores=drawn.scores[:rows, :size].copy(),
            candidates=drawn.candidates[:rows, :size].copy(),
            attention=drawn.attention[:rows],
        )
        self.seconds += time.thread_time() - began_at
        return outputs

    def surface(self, ids: Sequence[int]) -> str:
        return str(ids)


@dataclass(frozen=True, eq=False)
class Asked:
    search: Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Milliseconds of CPU time a step."""

    mean: float
    median: float
    rows: float  # of a step, on average


def measure(*, live_rows: int, beam_size: int, steps: int = 400) -> Measured:
    """Steps of a table that is kept full."""
    search = Search(
        ids=np.full(SOURCE_TOKENS, FIRST_WORD, np.int32),
        beam_size=beam_size,
        num_hypotheses=1,
        max_tokens=2 * TARGET_TOKENS,
    )
    model = IdleModel(live_rows, beam_size + 5)
    beams: BeamSearch[Asked] = BeamSearch(model, max_rows=live_rows)
    times, rows = [], []
    for step in range(steps + 40):
        began_at, model.seconds = time.thread_time(), 0.0
        beams.admit([Asked(search) for _ in range(beams.room // beam_size)])
        runs = list(beams.step())
        seconds = time.thread_time() - began_at - model.seconds
        if step >= 40:
            times.append(1000 * seconds)
            rows.append(runs[0].num_rows)
    return Measured(mean=float(np.mean(times)), median=float(np.median(times)), rows=float(np.mean(rows)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    steps = parser.parse_args().steps
    print("live rows  beam  rows a step  mean ms  median ms")
    for beam_size, live_rows in product((1, 4), (16, 64, 128)):
        found = measure(live_rows=live_rows, beam_size=beam_size, steps=steps)
        print(f"{live_rows:9}  {beam_size:4}  {found.rows:11.1f}  {found.mean:7.3f}  {found.median:9.3f}")


if __name__ == "__main__":
    main()

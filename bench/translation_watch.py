"""A translation model that notes how long its runs take: what is left is the engine's own work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from service.decoding.search import EncoderOutputs, StepInputs, StepModel, StepOutputs
from service.text.pipeline import Batch


@dataclass(slots=True)
class Watched:
    """A model that measures the time of its steps, for one thread."""

    model: StepModel
    encode_seconds: float = 0.0  # of this thread's processor time, here and below
    step_seconds: float = 0.0
    num_steps: int = 0
    num_rows: int = 0  # of all steps

    @property
    def bos_id(self) -> int:
        return self.model.bos_id

    @property
    def eos_id(self) -> int:
        return self.model.eos_id

    def encode(self, batch: Batch) -> EncoderOutputs:
        started = time.thread_time()
        encoded = self.model.encode(batch)
        self.encode_seconds += time.thread_time() - started
        return encoded

    def step(self, inputs: StepInputs) -> StepOutputs:
        started = time.thread_time()
        outputs = self.model.step(inputs)
        self.step_seconds += time.thread_time() - started
        self.num_steps += 1
        self.num_rows += len(inputs.tokens)
        return outputs

    def surface(self, ids: Sequence[int]) -> str:
        return self.model.surface(ids)

    def summary(self, seconds: float) -> str:
        """The figures of a search that took so many seconds, in words."""
        own = seconds - self.encode_seconds - self.step_seconds
        return (
            f"{self.num_rows / self.num_steps:.1f} rows a step; "
            f"{1e3 * self.step_seconds / self.num_steps:.2f} ms of a step in the graph, "
            f"{1e3 * own / self.num_steps:.2f} ms outside; encoder {self.encode_seconds / seconds:.0%} of all"
        )

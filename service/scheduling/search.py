"""What passes between a translation model and the engine that decodes with it: values, and the model's protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from service.text.batch import Batch, Ids

Floats = npt.NDArray[np.float32]
Memories = Mapping[str, Floats]  # by the graph's name for it, (source, time, size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """One source sentence and how to look for its translation. Checked by whoever makes it: the engine trusts it."""

    ids: Ids  # (time,), at least one
    beam_size: int = 4
    num_hypotheses: int = 1  # at most beam_size
    length_penalty: float = 1.0  # a hypothesis' score is its log-probability / length ** this; not below 0
    max_tokens: int  # of the target, </s> counted; at least 1
    wants_attention: bool = False  # else hypotheses carry none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hypothesis:
    """One translation, in pieces."""

    ids: tuple[int, ...]  # without </s>
    score: float  # log-probability / length ** length_penalty, where the length counts a </s> that was emitted
    attention: Floats | None  # (target, source): a row for each of ids, its weights of the source's tokens
    is_complete: bool  # it ended with </s>, not at the cap


Hypotheses = Sequence[Hypothesis]  # of one sentence, best first, no two of one surface; at most num_hypotheses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """What the encoder makes of a batch of sources."""

    state: Floats  # (batch, hidden), the decoder's first
    memories: Memories  # (batch, time, size) each, time being the batch's


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepInputs:
    """One step of every live hypothesis. The arrays are views of what the next step will overwrite."""

    tokens: Ids  # (row,), the last of each hypothesis; <s> at first
    state: Floats  # (row, hidden)
    sources: Ids  # (row,), the hypothesis' place on the first axis of lengths and memories
    lengths: Ids  # (source,), tokens before padding
    memories: Memories  # (source, time, size) each
    num_candidates: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepOutputs:
    """What the step graph gives back: arrays that nobody else writes to."""

    state: Floats  # (row, hidden)
    scores: Floats  # (row, candidate), log-probabilities, falling; -inf is never chosen
    candidates: Ids  # (row, candidate)
    attention: Floats  # (row, time), 0 beyond the source's length


class StepModel(Protocol):
    """A translation model as the engine sees it. Called by several threads at once.

    A row's outputs depend on nothing but its own inputs: neither on its neighbours nor on how many there are.
    """

    @property
    def bos_id(self) -> int: ...

    @property
    def eos_id(self) -> int: ...

    def encode(self, batch: Batch) -> Encoded:
        """Sources, padded to any length."""
        ...

    def step(self, inputs: StepInputs) -> StepOutputs:
        """The ``num_candidates`` best next tokens of each row; fewer only where the vocabulary is smaller."""
        ...

    def surface(self, ids: Sequence[int]) -> str:
        """What a hypothesis' pieces spell. Two of one sentence that spell the same count as one."""
        ...

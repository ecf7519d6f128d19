"""Values that pass between a translation model and the decoder that searches with it, and the model's protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from service.text.batch import Batch, Ids

Floats = npt.NDArray[np.float32]
# By the graph's name for it: (source, time, size), or (source, size) for what is not of tokens.
Memories = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Search:
    """A source sentence and the parameters of its search. The decoder does not check them."""

    ids: Ids  # (time,), at least one
    beam_size: int = 4
    num_hypotheses: int = 1  # at most beam_size
    length_penalty: float = 1.0  # a hypothesis' score is its log-probability / length ** this; not below 0
    max_tokens: int  # of the target, </s> counted; at least 1

    @property
    def num_rows(self) -> int:
        """Most rows of one step."""
        return self.beam_size

    @property
    def row_steps(self) -> int:
        """Estimated cost in rows of steps: a translation is about as long as its source."""
        return len(self.ids) * self.beam_size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hypothesis:
    """A translation in subword ids."""

    ids: tuple[int, ...]  # without </s>
    score: float  # log-probability / length ** length_penalty, where the length counts a </s> that was emitted
    attention: Floats  # (target, source): a row for each of ids, its weights of the source's tokens
    is_complete: bool  # it ended with </s>, not at the cap


Hypotheses = Sequence[Hypothesis]  # of one sentence, best first, no two of one surface; at most num_hypotheses


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncoderOutputs:
    """Outputs of the encoder for a batch of sources."""

    state: Floats  # (batch, hidden), the decoder's first
    memories: Memories  # (batch, time, size), time being the batch's, or (batch, size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepInputs:
    """Inputs of one step of all live hypotheses. The arrays are views of memory that the next step overwrites."""

    tokens: Ids  # (row,), the last of each hypothesis; <s> at first
    state: Floats  # (row, hidden)
    sources: Ids  # (row,), the hypothesis' place on the first axis of lengths and memories
    lengths: Ids  # (source,), tokens before padding
    memories: Memories  # (source, time, size) or (source, size)
    num_candidates: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepOutputs:
    """Outputs of one step; no other code writes to these arrays."""

    state: Floats  # (row, hidden)
    scores: Floats  # (row, candidate), log-probabilities, falling; -inf is never chosen
    candidates: Ids  # (row, candidate)
    attention: Floats  # (row, time), 0 beyond the source's length


class StepModel(Protocol):
    """A translation model as the decoder sees it. It is called by several threads at once.

    A row's outputs depend on nothing but its own inputs: neither on its neighbours nor on how many there are.
    """

    @property
    def bos_id(self) -> int: ...

    @property
    def eos_id(self) -> int: ...

    def encode(self, batch: Batch) -> EncoderOutputs:
        """Encode sources that are padded to any length."""
        ...

    def step(self, inputs: StepInputs) -> StepOutputs:
        """Return the ``num_candidates`` best next tokens of each row; fewer only where the vocabulary is smaller."""
        ...

    def surface(self, ids: Sequence[int]) -> str:
        """Return the text that a hypothesis' pieces spell. Two of one sentence that spell the same count as one."""
        ...

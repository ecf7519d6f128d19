"""Values that pass between models and the decoders that search or sample with them, and the models' protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from service.text.pipeline import Batch, Ids

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
    """A translation model as the decoder sees it. It is called by several threads at once. A row's outputs depend on
    nothing but its own inputs: neither on its neighbours nor on how many there are."""

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


MAX_CANDIDATES = 256  # likeliest next tokens that one is ever chosen from
NUM_RECENT = 64  # tokens that a repetition penalty looks back on
READ_COST = 4  # tokens that are read in the time of one row of a step
READ_TOGETHER = 64  # tokens of a prompt that are read at once

FinishReason = Literal["stop", "length", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """Options of sampling: the choice of each token, and the end of a text. The sampler does not check them."""

    max_tokens: int  # of one sample, at least 1
    temperature: float = 1.0  # 0: always the likeliest token
    top_k: int = MAX_CANDIDATES  # at most so many
    top_p: float = 1.0
    repetition_penalty: float = 1.0  # log-probabilities of recent tokens are multiplied by it; at least 1
    stop: tuple[str, ...] = ()  # none of them empty
    num_alternatives: int = 0  # likeliest tokens to tell at each step, at most MAX_CANDIDATES


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LanguageState:
    """State of a model behind a text of any length."""

    vector: Floats  # (state,), behind all tokens but the last
    recent: Ids  # (token,), the last 1 to NUM_RECENT; the very last has not been read
    position: int = 0  # tokens that were sampled so far
    sample: int = 0  # number of the sample in its request: with seed and position it tells the random number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prompt:
    """A text to be continued: the state before it, its tokens, and the parameters of its samples."""

    before: LanguageState
    ids: Ids  # (time,), the last token of ``before`` and those of the text
    num_samples: int = 1
    seed: int
    options: SamplingOptions
    strips_space: bool = False  # whether one space at the beginning of a sample is left out
    is_streamed: bool = False  # whether tokens are told one by one

    @property
    def num_rows(self) -> int:
        """Most rows of one step."""
        return self.num_samples

    @property
    def row_steps(self) -> int:
        """Estimated cost in rows of steps."""
        return self.num_samples * self.options.max_tokens + len(self.ids) // READ_COST


class Alternative(NamedTuple):
    """A token that could have come at a step."""

    id: int
    logprob: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledToken:
    """A token of a sample; ``logprob`` is the model's own, before temperature, penalty and truncation."""

    text: str
    logprob: float
    alternatives: tuple[Alternative, ...] = ()  # the likeliest first


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """A finished continuation."""

    text: str  # that of its tokens
    tokens: Sequence[SampledToken]
    num_steps: int  # tokens that were sampled, the end and those of a stop string too
    finish_reason: FinishReason
    state: LanguageState


Samples = Sequence[Sample]  # of one prompt, in order


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NewTokens:
    """Tokens of a sample that may be sent now."""

    sample: int  # its number among those of the prompt
    tokens: Sequence[SampledToken]
    finished: Sample | None = None  # the whole sample, if these are the last


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NextTokens:
    """Outputs of one step."""

    state: Floats  # (row, state), behind the token that was read
    scores: Floats  # (row, candidate), log-probabilities, falling
    candidates: Ids  # (row, candidate)


class LanguageStepModel(Protocol):
    """A language model as the sampler sees it. It is called by several threads at once. A row's outputs depend on
    nothing but its own inputs, and its best candidates not on how many are asked for."""

    @property
    def eos_id(self) -> int: ...

    @property
    def spelling(self) -> Sequence[str]:
        """Text of each token by id, as :class:`service.text.subwords.TextStream` wants it."""
        ...

    @property
    def is_text(self) -> npt.NDArray[np.bool_]:
        """Whether each token (id,) may be sampled: the end and all that has a text."""
        ...

    def read(self, batch: Batch, state: Floats) -> Floats:
        """Return the states (batch, state) behind these tokens, read from the given states (batch, state)."""
        ...

    def step(self, tokens: Ids, state: Floats, num_candidates: int) -> NextTokens:
        """Read one token (row,) each and return the likeliest next ones; fewer only of a smaller vocabulary."""
        ...

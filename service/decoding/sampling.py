"""Values that pass between a language model and the sampler that writes text with it, and the model's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from service.decoding.search import Floats
from service.text.batch import Batch, Ids

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
    """A language model as the sampler sees it. It is called by several threads at once.

    A row's outputs depend on nothing but its own inputs, and its best candidates not on how many are asked for.
    """

    @property
    def eos_id(self) -> int: ...

    @property
    def spelling(self) -> Sequence[str]:
        """Text of each token by id, as :class:`service.text.text_pieces.TextStream` wants it."""
        ...

    @property
    def is_text(self) -> npt.NDArray[np.bool_]:
        """Whether each token (id,) may be sampled: the end and all that has a text."""
        ...

    def read(self, batch: Batch, state: Floats) -> Floats:
        """Return the states (batch, state) behind these tokens, read from the given states (batch, state)."""
        ...

    def step(self, tokens: Ids, state: Floats, num_candidates: int) -> NextTokens:
        """Read one token (row,) each and return the likeliest next ones; fewer only where the vocabulary is
        smaller."""
        ...

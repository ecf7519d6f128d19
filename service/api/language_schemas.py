"""Schemas of the requests and answers of language models: POST /generate and POST /score."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from service.api.schemas import Detail, Model, Reason, Strict
from service.decoding.search import MAX_CANDIDATES
from service.models.registry import ModelName
from service.settings import MAX_BEAM_SIZE
from service.text.spans import OffsetUnit

MAX_ALTERNATIVES = 20
MAX_TEMPERATURE, MAX_PENALTY = 5, 10
MAX_STOPS, MAX_STOP_LENGTH = 8, 64
MAX_SEED = 2**63 - 1
MAX_STATE_LENGTH = 2**20
DEFAULT_MAX_TOKENS = 64
GAP = "___"

FinishReason = Annotated[
    Literal["stop", "length", "end"],
    Meta(description="A stop string came, max_tokens was reached, or the model ended the text"),
]
LogProbability = Annotated[float, Meta(description="The model's own, before temperature and all else", le=0)]
StateText = Annotated[str, Meta(description="What the model knows of the text so far: send it back as state")]
Truncated = Annotated[bool, Meta(description="Whether only a part of the text was read")]


class GenerateRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Text to continue."""

    prompt: Annotated[
        str | list[str], Meta(description="One text or several, each possibly empty", examples=["The report"])
    ]
    model: Model = None
    max_tokens: (
        Annotated[int, Meta(description="Most tokens of a sample; default: 64, or the model's limit if less", ge=1)]
        | None
    ) = None
    temperature: Annotated[float, Meta(description="0 takes the likeliest token always", ge=0, le=MAX_TEMPERATURE)] = (
        0.8
    )
    top_k: Annotated[int, Meta(description="Choose among so many of the likeliest tokens", ge=1, le=MAX_CANDIDATES)] = (
        MAX_CANDIDATES
    )
    top_p: Annotated[
        float, Meta(description="Choose among the fewest tokens that have this probability together", gt=0, le=1)
    ] = 1.0
    repetition_penalty: Annotated[
        float, Meta(description="Log-probabilities of recent tokens are multiplied by it", ge=1, le=MAX_PENALTY)
    ] = 1.0
    stop: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=MAX_STOP_LENGTH)]],
        Meta(description="A sample ends before the first of these", max_length=MAX_STOPS),
    ] = field(default_factory=list)
    seed: (
        Annotated[int, Meta(description="The same seed gives the same text; without one, any", ge=0, le=MAX_SEED)]
        | None
    ) = None
    num_samples: Annotated[int, Meta(description="Continuations of each prompt", ge=1, le=MAX_BEAM_SIZE)] = 1
    logprobs: Annotated[
        int, Meta(description="Tell the tokens, and so many alternatives of each", ge=0, le=MAX_ALTERNATIVES)
    ] = 0
    stream: Annotated[bool, Meta(description="Answer token by token as text/event-stream")] = False
    state: (
        Annotated[str, Meta(description="Go on behind the text of this state", max_length=MAX_STATE_LENGTH)] | None
    ) = None
    return_state: Annotated[bool, Meta(description="Answer a state behind each sample")] = False
    truncate: Annotated[bool, Meta(description="Read the end of a prompt over the model's limit")] = False
    strict: Strict = False


class ScoreRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Text to score, or a gap to fill."""

    text: Annotated[str | list[str], Meta(description="One text or several", examples=["The report is ready."])]
    choices: (
        Annotated[
            list[Annotated[str, Meta(max_length=1000)]],
            Meta(description=f"What may stand for the {GAP} in each text", min_length=1, max_length=128),
        ]
        | None
    ) = None
    model: Model = None
    truncate: Annotated[bool, Meta(description="Score the beginning of a text over the model's limit")] = False
    strict: Strict = False
    offset_unit: Annotated[OffsetUnit, Meta(description="What start and end count")] = "codepoint"


class AlternativeAnswer(Struct, frozen=True, gc=False):
    """A token that could have come, and its log-probability."""

    text: str
    logprob: LogProbability


class GeneratedToken(Struct, frozen=True):
    """A token of a sample; the texts of all are the sample's. One that is a part of a character has none."""

    text: str
    logprob: LogProbability
    top: Annotated[list[AlternativeAnswer], Meta(description="The likeliest tokens, best first")]


class SampleAnswer(Struct, frozen=True):
    """A continuation of a prompt."""

    text: str
    finish_reason: FinishReason
    tokens: list[GeneratedToken] | UnsetType = UNSET
    state: StateText | UnsetType = UNSET


class GenerateResult(Struct, frozen=True):
    """Continuations of one prompt."""

    samples: list[SampleAnswer]
    truncated: Truncated
    reason: Reason | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET


class GenerateResponse(Struct, frozen=True):
    """Results of all prompts, in order."""

    model: ModelName
    results: list[GenerateResult]


class TokenEvent(Struct, frozen=True):
    """A token of a stream."""

    item: int
    sample: int
    text: str
    logprob: LogProbability
    top: list[AlternativeAnswer] | UnsetType = UNSET


class SampleEvent(Struct, frozen=True):
    """The end of a sample of a stream."""

    item: int
    sample: int
    finish_reason: FinishReason
    truncated: Truncated
    state: StateText | UnsetType = UNSET


class ScoredToken(Struct, frozen=True, gc=False):
    """A token of a text, its place, and its log-probability behind those before it."""

    text: str
    start: int
    end: int
    logprob: LogProbability


class ScoredChoice(Struct, frozen=True, gc=False):
    """A choice for the gap, its probability among the choices, and the log-probability of the whole text with it."""

    text: str
    probability: Annotated[float, Meta(ge=0, le=1)]
    logprob: LogProbability


class ScoreResult(Struct, frozen=True, kw_only=True):
    """Scores of one text, or of the choices for its gap."""

    logprob: LogProbability | UnsetType | None = UNSET
    perplexity: Annotated[float, Meta(description="exp(-logprob / num_tokens)", ge=0)] | UnsetType | None = UNSET
    num_tokens: int | UnsetType = UNSET
    tokens: list[ScoredToken] | UnsetType = UNSET
    choices: list[ScoredChoice] | UnsetType = UNSET
    truncated: Truncated
    reason: Reason | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET


class ScoreResponse(Struct, frozen=True):
    """Results of all texts, in order."""

    model: ModelName
    results: list[ScoreResult]

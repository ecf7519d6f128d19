"""Types of a language model's answers: continuations of prompts, and scores of texts."""

from __future__ import annotations

from ribbon.answers import Record


class Alternative(Record, frozen=True, gc=False):
    """A token that could have come, and its log-probability."""

    text: str
    logprob: float


class GeneratedToken(Record, frozen=True):
    """A token of a sample, and the likeliest in its place."""

    text: str
    logprob: float
    top: list[Alternative]


class Sample(Record, frozen=True):
    """A continuation of a prompt; ``finish_reason`` is ``stop``, ``length`` or ``end``."""

    text: str
    finish_reason: str
    tokens: list[GeneratedToken] | None = None
    state: str | None = None


class Generation(Record, frozen=True):
    """Continuations of a prompt."""

    samples: list[Sample]
    truncated: bool
    reason: str | None = None
    detail: str | None = None

    @property
    def text(self) -> str:
        """The first sample's text; empty where there is none."""
        return self.samples[0].text if self.samples else ""


class TokenEvent(Record, frozen=True):
    """A token of a stream: the places of its prompt and sample, both from 0."""

    item: int
    sample: int
    text: str
    logprob: float
    top: list[Alternative] | None = None


class SampleEvent(Record, frozen=True):
    """The end of a sample of a stream."""

    item: int
    sample: int
    finish_reason: str
    truncated: bool
    state: str | None = None


class ScoredToken(Record, frozen=True, gc=False):
    """A token of a text, its place, and its log-probability behind those before it."""

    text: str
    start: int
    end: int
    logprob: float


class Choice(Record, frozen=True, gc=False):
    """A choice for the gap, its probability among the choices, and the whole text's log-probability with it."""

    text: str
    probability: float
    logprob: float


class Score(Record, frozen=True, kw_only=True):
    """Score of a text, or of each choice for its gap."""

    logprob: float | None = None
    perplexity: float | None = None
    num_tokens: int | None = None
    tokens: list[ScoredToken] | None = None
    choices: list[Choice] | None = None
    truncated: bool
    reason: str | None = None
    detail: str | None = None

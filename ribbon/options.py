"""Options of requests: the fields of the API beside the text, as typed keyword arguments.

All may be left out but a translation's ``target``; ``docs/api.md`` says what they mean. ``deadline_seconds`` and
``priority`` are every task's: they become headers.
"""

from typing import Literal, Required, TypedDict

OffsetUnit = Literal["codepoint", "utf16", "byte"]


class CallOptions(TypedDict, total=False):
    """Options of every task."""

    model: str
    truncate: bool
    strict: bool
    deadline_seconds: float  # until the answer must be there, retries included
    priority: Literal["interactive", "bulk"]


class TagOptions(CallOptions, total=False):
    """Options of POST /tag."""

    tasks: list[Literal["pos", "ner"]]
    offset_unit: OffsetUnit


class ClassifyOptions(CallOptions, total=False):
    """Options of POST /classify."""


class TranslateOptions(CallOptions, total=False):
    """Options of POST /translate."""

    target: Required[str]
    source: str
    beam_size: int
    num_hypotheses: int
    length_penalty: float
    max_length: int
    attention: bool
    format: Literal["text", "html", "markdown"]
    localize_numbers: bool
    offset_unit: OffsetUnit


class GenerateOptions(CallOptions, total=False):
    """Options of POST /generate."""

    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    stop: list[str]
    seed: int
    num_samples: int
    logprobs: int
    state: str
    return_state: bool


class ScoreOptions(CallOptions, total=False):
    """Options of POST /score."""

    choices: list[str]
    offset_unit: OffsetUnit

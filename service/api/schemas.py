"""What comes in and what goes out. Structs: answers are large, and msgspec writes them seven times faster."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from service.text.offsets import OffsetUnit

Task = Literal["pos", "ner"]
TASKS: tuple[Task, ...] = ("pos", "ner")


class TagRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Text to tag, or tokens; one of the two."""

    text: Annotated[
        str | list[str] | None, Meta(description="One text or several", examples=["plays well with others"])
    ] = None
    tokens: Annotated[
        list[list[str]] | None, Meta(description="Sentences that are tokenised already, in place of text")
    ] = None
    model: Annotated[str | None, Meta(description="A name from GET /models")] = None
    tasks: Annotated[list[Task], Meta(description="What to answer: pos, ner or both", min_length=1)] = field(
        default_factory=lambda: list(TASKS)
    )
    truncate: Annotated[bool, Meta(description="Cut sentences over the model's limit instead of refusing them")] = False
    offset_unit: Annotated[OffsetUnit, Meta(description="What start and end count")] = "codepoint"


class ClassifyRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Text to classify."""

    text: Annotated[str | list[str], Meta(description="One text or several", examples=["It was not bad at all."])]
    model: Annotated[str | None, Meta(description="A name from GET /models")] = None
    truncate: Annotated[bool, Meta(description="Read the beginning of a text over the model's limit")] = False


class ModelName(Struct, frozen=True):
    """Which model answered."""

    name: str
    version: str


class TokenAnswer(Struct, frozen=True, gc=False):
    """A word, its place in the text, and what it is."""

    text: str
    start: int
    end: int
    upos: str | UnsetType = UNSET
    xpos: str | UnsetType = UNSET
    entity: str | UnsetType = UNSET


class SentenceAnswer(Struct, frozen=True):
    """From its first token's start to its last one's end."""

    start: int
    end: int
    tokens: list[TokenAnswer]


class EntityAnswer(Struct, frozen=True, gc=False):
    """A labelled stretch of the text."""

    text: str
    label: str
    start: int
    end: int
    score: float


class TagResult(Struct, frozen=True):
    """One text's answer."""

    sentences: list[SentenceAnswer]
    entities: list[EntityAnswer] | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET  # answered where ``truncate`` was asked


class TagResponse(Struct, frozen=True):
    """One result per text, in order."""

    model: ModelName
    results: list[TagResult]


class ClassifyResult(Struct, frozen=True):
    """One text's class; ``scores`` has every class and sums to 1."""

    label: str
    score: float
    scores: dict[str, float]
    truncated: bool


class ClassifyResponse(Struct, frozen=True):
    """One result per text, in order."""

    model: ModelName
    results: list[ClassifyResult]


class ModelCard(Struct, frozen=True, kw_only=True):
    """A served model, as its bundle's manifest describes it."""

    name: str
    version: str
    task: str
    languages: list[str]
    labels: dict[str, list[str]]
    default: bool
    precision: str
    limits: dict[str, int]
    licence: str
    checksum: str
    metrics: dict[str, Any]


class ModelsResponse(Struct, frozen=True):
    """Every model that is served."""

    models: list[ModelCard]


class Health(Struct, frozen=True):
    """``live``, or the phase the service is in."""

    status: str

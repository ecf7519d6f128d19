"""Schemas of requests and answers. They are msgspec structs: answers are large, and msgspec writes them seven times
faster."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from service.models.registry import ModelName
from service.settings import MAX_BEAM_SIZE
from service.text.markup.documents import Format
from service.text.spans import OffsetUnit

Model = Annotated[str | None, Meta(description="A name from GET /models, or name@version")]
TagTask = Literal["pos", "ner"]
TAG_TASKS: list[TagTask] = ["pos", "ner"]
TagFormat = Literal["json", "conllu", "spacy"]
Strict = Annotated[
    bool,
    Meta(description="Refuse the whole request (422) if a text of it has no word or is over the model's limit"),
]
Reason = Annotated[
    Literal["no_words", "input_too_long"], Meta(description="Why there is no answer to this text; absent if there is")
]
Detail = Annotated[str, Meta(description="The reason for people, with the limit and the actual length")]


class TagRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Text to tag, or tokens; one of the two."""

    text: Annotated[
        str | list[str] | None, Meta(description="One text or several", examples=["plays well with others"])
    ] = None
    tokens: Annotated[
        list[list[str]] | None, Meta(description="Sentences that are tokenised already, in place of text")
    ] = None
    model: Model = None
    tasks: Annotated[list[TagTask], Meta(description="What to answer: pos, ner or both", min_length=1)] = field(
        default_factory=TAG_TASKS.copy
    )
    truncate: Annotated[bool, Meta(description="Read the beginning of a sentence over the model's limit")] = False
    strict: Strict = False
    offset_unit: Annotated[
        OffsetUnit, Meta(description="What start and end count; with another format than json code points")
    ] = "codepoint"
    format: Annotated[
        TagFormat | None,
        Meta(description="How to write the answer; without it the media type that Accept names, else json"),
    ] = None


class ClassifyRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Text to classify."""

    text: Annotated[str | list[str], Meta(description="One text or several", examples=["It was not bad at all."])]
    model: Model = None
    truncate: Annotated[bool, Meta(description="Read the beginning of a text over the model's limit")] = False
    strict: Strict = False


class TranslateRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Text to translate."""

    text: Annotated[str | list[str], Meta(description="One text or several", examples=["I love this book."])]
    source: Annotated[str, Meta(description="The language it is in")] = "en"
    target: Annotated[str, Meta(description="The language it is wanted in; es-MX asks for es", examples=["es"])]
    model: Model = None
    beam_size: Annotated[int, Meta(description="Hypotheses kept at each step", ge=1, le=MAX_BEAM_SIZE)] = 4
    num_hypotheses: Annotated[
        int, Meta(description="How many to answer for an item of one sentence; at most beam_size", ge=1)
    ] = 1
    length_penalty: Annotated[
        float, Meta(description="Scores are log-probabilities divided by length to this power", ge=0, le=4)
    ] = 1.0
    max_length: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Most subwords of a sentence's translation, its end too")
    ] = None
    attention: Annotated[bool, Meta(description="Answer which subwords each one was made from")] = False
    format: Annotated[
        Format,
        Meta(description="What the text is written in; tags, code and addresses of links are kept", examples=["html"]),
    ] = "text"
    localize_numbers: Annotated[
        bool, Meta(description="Write numbers as the target language does: 1.250,5 for 1,250.5")
    ] = False
    stream: Annotated[bool, Meta(description="Answer sentence by sentence as text/event-stream")] = False
    truncate: Annotated[
        bool, Meta(description="Leave out the rest of what is over the model's limit and cannot be cut into parts")
    ] = False
    strict: Strict = False
    offset_unit: Annotated[OffsetUnit, Meta(description="What start and end count")] = "codepoint"


class TokenAnswer(Struct, frozen=True, gc=False):
    """A word, its place in the text, and what it is."""

    text: str
    start: int
    end: int
    upos: str | UnsetType = UNSET
    xpos: str | UnsetType = UNSET
    entity: str | UnsetType = UNSET


class SentenceAnswer(Struct, frozen=True):
    """A sentence and its tokens, from the first one's start to the last one's end."""

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
    """Answer to one text."""

    sentences: list[SentenceAnswer]
    entities: list[EntityAnswer] | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET  # answered where ``truncate`` was asked
    reason: Reason | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET


class TagResponse(Struct, frozen=True):
    """Results of all texts, in order."""

    model: ModelName
    results: list[TagResult]


class ClassifyResult(Struct, frozen=True, kw_only=True):
    """Class of one text and the scores of all classes, which sum to 1 unless the model is multi-label."""

    label: Annotated[str | None, Meta(description="The likeliest")]
    score: float | None
    scores: dict[str, float] | None
    truncated: bool
    labels: (
        Annotated[list[str], Meta(description="Of a multi-label model: those at or above their thresholds, best first")]
        | UnsetType
    ) = UNSET
    group: Annotated[str | None, Meta(description="The group with the highest summed score")] | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET


class ClassifyResponse(Struct, frozen=True):
    """Results of all texts, in order."""

    model: ModelName
    results: list[ClassifyResult]


class SourceSpan(Struct, frozen=True, gc=False):
    """Place of a sentence in the text."""

    start: int
    end: int


class AttentionAnswer(Struct, frozen=True):
    """Attention of a translation: ``weights`` has a row for each target token and a column for each source token; every
    row sums to 1."""

    source_tokens: list[str]
    target_tokens: list[str]
    weights: list[list[float]]


Confidence = Annotated[
    float, Meta(description="The probability of what GET /models says, where the model is calibrated", ge=0, le=1)
]
Complete = Annotated[bool, Meta(description="False where a limit cut the translation")]
Degraded = Annotated[
    bool,
    Meta(description="True where the second translation that this sentence needed could not be made; else absent"),
]


class TranslatedSentence(Struct, frozen=True):
    """A sentence of the text and its translation."""

    source: SourceSpan
    translation: str
    score: float
    complete: Complete
    confidence: Confidence | UnsetType = UNSET
    attention: AttentionAnswer | UnsetType = UNSET
    degraded: Degraded | UnsetType = UNSET


class HypothesisAnswer(Struct, frozen=True, gc=False):
    """A possible translation."""

    translation: str
    score: float


class TranslateResult(Struct, frozen=True):
    """Translation of one text; ``hypotheses``, best first, where it has one sentence."""

    translation: str | None
    score: float | None
    sentences: list[TranslatedSentence]
    truncated: bool
    hypotheses: list[HypothesisAnswer] | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET


class TranslateResponse(Struct, frozen=True):
    """Results of all texts, in order."""

    model: ModelName
    results: list[TranslateResult]


class SentenceEvent(Struct, frozen=True, kw_only=True):
    """A finished sentence of a stream: its item and place, and its translations, best first."""

    item: int
    sentence: int
    source: SourceSpan
    translation: str
    score: float
    complete: Complete
    truncated: bool
    hypotheses: list[HypothesisAnswer]
    confidence: Confidence | UnsetType = UNSET
    attention: AttentionAnswer | UnsetType = UNSET
    degraded: Degraded | UnsetType = UNSET


class RefusedEvent(Struct, frozen=True):
    """An item of a stream that is not translated, and why."""

    item: int
    reason: Reason
    detail: Detail


class DoneEvent(Struct, frozen=True):
    """The end of a stream."""

    model: ModelName


class ReloadAccepted(Struct, frozen=True):
    """The reload was passed on to another process."""

    detail: str


class Health(Struct, frozen=True):
    """State of the service: ``live``, or its phase."""

    status: str

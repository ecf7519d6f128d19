"""Types of answers: frozen values with the fields of the API's JSON, and a few conveniences.

A field that an answer may leave out is None; encoded as JSON it is left out again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from msgspec import Struct

Result = TypeVar("Result")


class Record(Struct, frozen=True, omit_defaults=True):
    """Base class of all answers."""


class ModelName(Record, frozen=True):
    """Name and version of the model that answered."""

    name: str
    version: str


class Answer(Record, Generic[Result], frozen=True):
    """Answer to one request: the model, and a result for each text, in order."""

    model: ModelName
    results: list[Result]


class Token(Record, frozen=True, gc=False):
    """A word, its place in the text, its Universal and Penn tags, and its BIOES tag."""

    text: str
    start: int
    end: int
    upos: str | None = None
    xpos: str | None = None
    entity: str | None = None


class Sentence(Record, frozen=True):
    """A sentence of a text, from its first token's start to its last token's end."""

    start: int
    end: int
    tokens: list[Token]

    def __iter__(self) -> Iterator[Token]:
        return iter(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)


class Entity(Record, frozen=True, gc=False):
    """A labelled stretch of a text."""

    text: str
    label: str
    start: int
    end: int
    score: float


class Doc(Record, frozen=True):
    """A tagged text. ``ents``, ``sents`` and ``tokens`` are named as in spaCy."""

    sentences: list[Sentence]
    entities: list[Entity] | None = None
    truncated: bool | None = None
    reason: str | None = None
    detail: str | None = None

    @property
    def ents(self) -> list[Entity]:
        """Entities; none if they were not asked for."""
        return self.entities or []

    @property
    def sents(self) -> list[Sentence]:
        """Sentences."""
        return self.sentences

    @property
    def tokens(self) -> list[Token]:
        """Tokens of all sentences."""
        return [token for sentence in self.sentences for token in sentence.tokens]


class Classification(Record, frozen=True, kw_only=True):
    """Class of a text and the scores of all classes. ``labels`` is a multi-label model's, ``group`` that of a model
    with groups. A text without an answer has the label None and a ``reason``."""

    label: str | None
    score: float | None
    scores: dict[str, float] | None
    truncated: bool
    labels: list[str] | None = None
    group: str | None = None
    reason: str | None = None
    detail: str | None = None


class Span(Record, frozen=True, gc=False):
    """Place of a sentence in the text."""

    start: int
    end: int


class Attention(Record, frozen=True):
    """Attention of a translation: a row of ``weights`` for each target token, a column for each source token."""

    source_tokens: list[str]
    target_tokens: list[str]
    weights: list[list[float]]


class TranslatedSentence(Record, frozen=True):
    """A sentence of a text and its translation."""

    source: Span
    translation: str
    score: float
    complete: bool
    confidence: float | None = None
    attention: Attention | None = None
    degraded: bool = False


class Hypothesis(Record, frozen=True, gc=False):
    """A possible translation."""

    translation: str
    score: float


class Translation(Record, frozen=True):
    """Translation of a text, as a whole and by sentences; ``hypotheses``, best first, where it is one sentence."""

    translation: str | None
    score: float | None
    sentences: list[TranslatedSentence]
    truncated: bool
    hypotheses: list[Hypothesis] | None = None
    reason: str | None = None
    detail: str | None = None


class SentenceEvent(Record, frozen=True, kw_only=True):
    """A translated sentence of a stream: the places of its text and of the sentence there, both from 0."""

    item: int
    sentence: int
    source: Span
    translation: str
    score: float
    complete: bool
    truncated: bool
    hypotheses: list[Hypothesis]
    confidence: float | None = None
    attention: Attention | None = None
    degraded: bool = False


class RefusedEvent(Record, frozen=True):
    """A text of a stream that has no answer, and why."""

    item: int
    reason: str
    detail: str


class DoneEvent(Record, frozen=True):
    """The end of a stream."""

    model: ModelName


class Pair(Record, frozen=True):
    """Source and target language of a translator."""

    source: str
    target: str


class ConfidenceInfo(Record, frozen=True, kw_only=True):
    """Meaning of a translator's confidences."""

    what: str
    threshold: float
    measured_on: list[str]


class ModelInfo(Record, frozen=True, kw_only=True):
    """A model that is served, as ``GET /models`` describes it."""

    name: str
    version: str
    task: str
    languages: list[str]
    labels: dict[str, list[str]]
    default: bool
    precision: str
    device: str
    limits: dict[str, int]
    licence: str
    commercial_use: bool | None
    checksum: str
    metrics: dict[str, Any]
    multi_label: bool | None = None
    thresholds: dict[str, float] | None = None
    groups: dict[str, list[str]] | None = None
    pairs: list[Pair] | None = None
    confidence: ConfidenceInfo | None = None


class Models(Record, frozen=True):
    """All models that are served."""

    models: list[ModelInfo]


class FieldProblem(Record, frozen=True):
    """An error in one field of a request, such as ``text[3]``."""

    path: str
    message: str


class Problem(Record, frozen=True, kw_only=True):
    """A problem document (RFC 9457): ``kind`` is stable, ``detail`` is for people."""

    type: str
    title: str
    status: int
    detail: str
    kind: str
    request_id: str
    errors: list[FieldProblem] | None = None

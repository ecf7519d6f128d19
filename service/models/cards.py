"""Cards of models: their names, and what GET /models shows of them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

MultiLabel = Annotated[bool, Meta(description="Of a classifier: whether a text may have several labels, or none")]
Thresholds = Annotated[
    dict[str, float], Meta(description="Of a multi-label classifier: a text has each label whose score reaches this")
]
Groups = Annotated[
    dict[str, list[str]], Meta(description="Of a classifier: coarser classes and the labels that belong to each")
]


class ModelName(Struct, frozen=True):
    """Name and version of the model that answered."""

    name: str
    version: str


class PairCard(Struct, frozen=True):
    """Source and target language of a translator."""

    source: str
    target: str


class ConfidenceCard(Struct, frozen=True, kw_only=True):
    """Meaning of a translator's confidences."""

    what: Annotated[str, Meta(description="What a confidence is the probability of")]
    threshold: Annotated[float, Meta(description="Confidences from here on are worth relying on")]
    measured_on: Annotated[list[str], Meta(description="Domains of the text that it was measured on")]


class ModelCard(Struct, frozen=True, kw_only=True):
    """A served model, as its bundle's manifest describes it."""

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
    commercial_use: bool | None  # whether the terms of all corpora allow it; null where the bundle does not say
    checksum: str
    metrics: dict[str, Any]
    multi_label: MultiLabel | UnsetType = UNSET
    thresholds: Thresholds | UnsetType = UNSET
    groups: Groups | UnsetType = UNSET
    pairs: list[PairCard] | UnsetType = UNSET  # of a translator
    confidence: ConfidenceCard | UnsetType = UNSET  # of a translator that is calibrated


class ModelsResponse(Struct, frozen=True):
    """List of all models that are served."""

    models: list[ModelCard]

"""Cards of models: their names, and what GET /models shows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from service.bundle import Bundle, Manifest
from service.predictors.confidence import ConfidenceModel
from service.runtime.resources import Device
from service.settings import Settings

# Precisions that a device runs better than the models' own: hardly an operator of an int8 graph has a CUDA kernel, and
# every other one that has would wait for copies from and to the CPU.
PRECISIONS: Mapping[Device, str] = {"cuda": "fp32"}

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


def full_name(model: ModelName | ModelCard | Manifest) -> str:
    """Return a model's full name as requests may give it: ``en-tagger@1.0.0``."""
    return f"{model.name}@{model.version}"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one request, whatever the model."""

    max_items: int
    max_text_length: int  # characters
    max_request_length: int  # characters of all its texts

    @property
    def max_values(self) -> int:
        """Number of texts, tokens and lists that a request within the limits holds at most: every token counts as two
        characters, with the space before it."""
        return self.max_request_length // 2 + 2 * self.max_items + 16

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def request_limits(settings: Settings) -> Limits:
    return Limits(
        max_items=settings.max_items,
        max_text_length=settings.max_text_length,
        max_request_length=settings.max_request_length,
    )


def card_of(bundle: Bundle, settings: Settings, *, is_default: bool) -> ModelCard:
    """Make the card that GET /models shows of a bundle; entity labels come without their BIOES prefixes."""
    manifest = bundle.manifest
    return ModelCard(
        name=manifest.name,
        version=manifest.version,
        task=manifest.task,
        languages=list(manifest.languages),
        labels={kind: plain_labels(tags) for kind, tags in manifest.labels.items()},
        default=is_default,
        precision=precision_of(bundle, settings),
        device=device_of(bundle, settings),
        limits={**manifest.limits, **request_limits(settings).as_dict()},
        licence=manifest.licence,
        commercial_use=manifest.commercial_use,
        checksum=bundle.checksum,
        metrics=manifest.metrics,
        multi_label=manifest.multi_label if manifest.task == "classify" else UNSET,
        thresholds=manifest.thresholds or UNSET,
        groups={name: list(labels) for name, labels in (manifest.groups or {}).items()} or UNSET,
        pairs=[PairCard(pair.source, pair.target) for pair in manifest.pairs] or UNSET,
        confidence=_confidence_card(manifest.confidence),
    )


def _confidence_card(content: Mapping[str, Any] | None) -> ConfidenceCard | UnsetType:
    """Make the card of a confidence calibration that the predictor has read before."""
    if content is None:
        return UNSET
    model = ConfidenceModel.read(content)
    return ConfidenceCard(what=model.what, threshold=model.threshold, measured_on=list(model.measured_on))


def plain_labels(tags: Sequence[str]) -> list[str]:
    """Return labels without BIOES prefixes: ``O B-PER I-PER E-PER S-PER`` is the one label ``PER``; other tags are
    labels themselves."""
    if "O" not in tags:
        return list(tags)
    return list(dict.fromkeys(tag.partition("-")[2] for tag in tags if "-" in tag))


def precision_of(bundle: Bundle, settings: Settings) -> str:
    """Return the configured precision if this model has it; else the model's own, or on a GPU the one that has kernels
    there."""
    manifest = bundle.manifest
    wanted = settings.precision or PRECISIONS.get(device_of(bundle, settings))
    return wanted if wanted in manifest.precisions else manifest.default_precision


def device_of(bundle: Bundle, settings: Settings) -> Device:
    """Return the device on which a model runs: a language model always on the CPU, because its reader's positions count
    the padding, and a GPU pads further. The setting ``auto`` has been resolved in service.app by the time a model is
    loaded."""
    return "cuda" if settings.device == "cuda" and bundle.manifest.task != "generate" else "cpu"

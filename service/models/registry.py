"""Model registry: the models that are served, by task and name, and the cards that GET /models shows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Self, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from service.bundle import Bundle, Manifest, Task
from service.errors import UnknownModelError
from service.lifecycle import Lifecycle
from service.predictors.confidence import ConfidenceModel
from service.predictors.predictor import Predictor
from service.runtime.resources import Device
from service.scheduling.scheduler import BaseScheduler
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


# Settings that limit one request, whatever the model.
REQUEST_LIMITS = ("max_items", "max_text_length", "max_request_length")


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
        limits={**manifest.limits, **{name: getattr(settings, name) for name in REQUEST_LIMITS}},
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
    """Return labels without BIOES prefixes: ``O B-PER I-PER E-PER S-PER`` is ``PER``; other tags are labels."""
    if "O" not in tags:
        return list(tags)
    return list(dict.fromkeys(tag.partition("-")[2] for tag in tags if "-" in tag))


def precision_of(bundle: Bundle, settings: Settings) -> str:
    """Return the configured precision if the model has it; else its own, or on a GPU the one with kernels there."""
    manifest = bundle.manifest
    wanted = settings.precision or PRECISIONS.get(device_of(bundle, settings))
    return wanted if wanted in manifest.precisions else manifest.default_precision


def device_of(bundle: Bundle, settings: Settings) -> Device:
    """Return the device on which a model runs: a language model always on the CPU, until it is measured on a GPU. The
    setting ``auto`` has been resolved in service.app by the time a model is loaded."""
    return "cuda" if settings.device == "cuda" and bundle.manifest.task != "generate" else "cpu"


Model = TypeVar("Model", bound=Predictor[Any, Any])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedModel(Generic[Model]):
    """A predictor, the scheduler that feeds it, and its card for GET /models."""

    card: ModelCard
    predictor: Model
    scheduler: BaseScheduler[Any]
    scorer: ServedModel[Model] | None = None  # of a language model: the same model as it scores texts
    name: ModelName = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", ModelName(self.card.name, self.card.version))

    def close(self) -> None:
        """Stop serving the model once the last request is answered."""
        self.scheduler.close()
        if self.scorer is not None:
            self.scorer.close()

    @property
    def full_name(self) -> str:
        return full_name(self.card)


AnyModel = ServedModel[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskModels:
    """Models of one task."""

    named: Mapping[str, AnyModel]  # each by its full name, and the highest version by the name alone
    ranked: Sequence[AnyModel]  # the default, then the highest version of each name
    full_names: Sequence[str]

    @classmethod
    def of(cls, models: Sequence[AnyModel]) -> Self:
        """Index models that are sorted by name, the highest version of each first."""
        highest: dict[str, AnyModel] = {}
        for served in models:
            highest.setdefault(served.card.name, served)
        default = [served for served in models if served.card.default]
        others = [served for served in highest.values() if not served.card.default]
        by_full_name = {served.full_name: served for served in models}
        return cls(named=highest | by_full_name, ranked=default + others, full_names=list(by_full_name))


class ModelRegistry:
    """Models by task and name, replaced as a whole: a request keeps the model that it has found."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.models: Sequence[AnyModel] = ()  # by name, the highest version of each first
        self._by_task: Mapping[str, TaskModels] = {}  # of each task that has a model
        self._lifecycle = lifecycle

    def switch(self, models: Sequence[AnyModel]) -> None:
        """Serve these models from now on, and no others; they are sorted by name, the highest version of each first."""
        tasks = dict.fromkeys(served.card.task for served in models)
        self.models = tuple(models)
        self._by_task = {task: TaskModels.of([each for each in models if each.card.task == task]) for task in tasks}

    def find(self, task: Task, name: str | None) -> AnyModel:
        """Return the named model, or the task's default. Raises NotReadyError or UnknownModelError."""
        found = self._by_task.get(task) if self._lifecycle.is_accepting else None
        if found is not None and name is None:
            return found.ranked[0]
        return self.candidates(task, name)[0]

    def candidates(self, task: Task, name: str | None) -> Sequence[AnyModel]:
        """Return the named model alone, or all of the task, its default first. A name without a version means the
        highest. Raises NotReadyError or UnknownModelError."""
        self._lifecycle.check()
        task_models = self._by_task.get(task)
        if task_models is None:
            raise UnknownModelError(f"no model here answers /{task}; GET /models lists those there are")
        if name is None:
            return task_models.ranked
        if name not in task_models.named:
            raise UnknownModelError(f"/{task} has no model named {name!r}; known: {', '.join(task_models.full_names)}")
        return [task_models.named[name]]

    def cards(self) -> list[ModelCard]:
        """Return the cards of all models. Raises NotReadyError while they load."""
        self._lifecycle.check()
        return [served.card for served in self.models]

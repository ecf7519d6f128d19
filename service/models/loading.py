"""Loads bundles from disk into predictors and proves them by their examples, at the start and at each reload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from msgspec import UNSET, UnsetType

from service.bundle import Bundle, Task, verify
from service.errors import SettingsError
from service.models.cards import ConfidenceCard, ModelCard, PairCard
from service.models.limits import request_limits
from service.models.versions import default_of, find_versions, full_name, name_of
from service.predictors.classifier import Classifier
from service.predictors.confidence import ConfidenceModel
from service.predictors.language_model import LanguageModel
from service.predictors.predictor import RowPredictor
from service.predictors.self_test import replay
from service.predictors.tagger import Tagger
from service.predictors.translator import Translator
from service.runtime.devices import Device
from service.runtime.external_data import check_external_data
from service.runtime.session import Session
from service.settings import Settings
from service.settings_rules import PREFIX


class OpenSession(Protocol):
    """Function that opens a graph: onnxruntime's, or a fake's."""

    def __call__(self, path: Path, *, device: Device) -> Session: ...


# Precisions that a device runs better than the models' own: hardly an operator of an int8 graph has a CUDA kernel, and
# every other one that has would wait for copies from and to the CPU.
PRECISIONS: Mapping[Device, str] = {"cuda": "fp32"}
AnyPredictor = LanguageModel | Translator | RowPredictor[Any, Any]
OpenGraph = Callable[[Path], Session]


def open_tagger(bundle: Bundle, precision: str, open_graph: OpenGraph) -> Tagger:
    return Tagger(bundle, open_graph(bundle.graph(precision)))


def open_classifier(bundle: Bundle, precision: str, open_graph: OpenGraph) -> Classifier:
    return Classifier(bundle, open_graph(bundle.graph(precision)))


def open_translator(bundle: Bundle, precision: str, open_graph: OpenGraph) -> Translator:
    encoder, step = open_graph(bundle.encoder(precision)), open_graph(bundle.graph(precision))
    return Translator(bundle, encoder=encoder, step=step)


def open_language_model(bundle: Bundle, precision: str, open_graph: OpenGraph) -> LanguageModel:
    reader, step = open_graph(bundle.encoder(precision)), open_graph(bundle.graph(precision))
    return LanguageModel(bundle, reader=reader, step=step)


OPENERS: Mapping[Task, Callable[[Bundle, str, OpenGraph], AnyPredictor]] = {
    "tag": open_tagger,
    "classify": open_classifier,
    "translate": open_translator,
    "generate": open_language_model,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedModel:
    """A predictor that has replayed its examples, and its card."""

    card: ModelCard
    predictor: AnyPredictor

    @property
    def full_name(self) -> str:
        return full_name(self.card.name, self.card.version)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReloadPlan:
    """The models to serve from now on, by name and the highest version of each first; and by full name which of them
    are added, changed, kept and removed."""

    models: Sequence[LoadedModel]
    added: Sequence[str]
    changed: Sequence[str]
    kept: Sequence[str]
    removed: Sequence[str]

    @property
    def fresh(self) -> list[LoadedModel]:
        """Models that were loaded just now."""
        return [each for each in self.models if each.full_name not in self.kept]


def load_models(settings: Settings, open_session: OpenSession) -> list[LoadedModel]:
    """Load, check and prove every bundle under ``models_dir``. Raises StartupError."""
    return list(reload_models(settings, open_session, ()).models)


def reload_models(settings: Settings, open_session: OpenSession, current: Sequence[LoadedModel]) -> ReloadPlan:
    """Load the models again, keeping the predictors of those whose manifest and precision have not changed.

    The files of kept models are compared with their checksums all the same, since a damaged one could not be started
    again. Nothing of ``current`` is changed. Raises StartupError if any bundle is not sound.
    """
    bundles = find_versions(settings.models_dir)
    check_precision(bundles, settings.precision)
    defaults = {default_of(task, bundles, settings) for task in OPENERS}
    before = {each.full_name: each for each in current}
    models, kept = list[LoadedModel](), list[str]()
    for bundle in bundles:
        name = name_of(bundle)
        card = card_of(bundle, settings, is_default=name in defaults)
        if name in before and is_same(before[name].card, card):
            verify(bundle)
            kept.append(name)
            models.append(LoadedModel(card=card, predictor=before[name].predictor))
        else:
            models.append(LoadedModel(card=card, predictor=open_predictor(bundle, settings, open_session)))
    names = [each.full_name for each in models]
    return ReloadPlan(
        models=models,
        added=[name for name in names if name not in before],
        changed=[name for name in names if name in before and name not in kept],
        kept=kept,
        removed=[name for name in before if name not in names],
    )


def is_same(before: ModelCard, now: ModelCard) -> bool:
    """Whether a model need not be loaded again: every file is what it was, and the same graph is wanted."""
    return (before.checksum, before.precision) == (now.checksum, now.precision)


def check_precision(bundles: Iterable[Bundle], wanted: str | None) -> None:
    """Raise SettingsError if no model has the precision that is asked for."""
    known = {name for bundle in bundles for name in bundle.manifest.precisions}
    if wanted is not None and wanted not in known:
        raise SettingsError(f"{PREFIX}PRECISION={wanted}: no model has it; known: {', '.join(sorted(known))}")


def precision_of(bundle: Bundle, settings: Settings) -> str:
    """Return the configured precision if this model has it; else the model's own, or on a GPU the one that has kernels
    there."""
    manifest = bundle.manifest
    wanted = settings.precision or PRECISIONS.get(device_of(settings))
    return wanted if wanted in manifest.precisions else manifest.default_precision


def device_of(settings: Settings) -> Device:
    """Return the device on which models run. The setting ``auto`` has been resolved by the time a model is loaded on a
    GPU, in service.app."""
    return "cuda" if settings.device == "cuda" else "cpu"


def open_predictor(bundle: Bundle, settings: Settings, open_session: OpenSession) -> AnyPredictor:
    """Verify, load and prove a bundle, and check that nothing of it changed meanwhile. Raises BundleError or
    DeviceError."""
    seal = verify(bundle)
    check_external_data(bundle)
    precision = precision_of(bundle, settings)
    open_graph = partial(open_session, device=device_of(settings))
    predictor = OPENERS[bundle.manifest.task](bundle, precision, open_graph)
    replay(predictor, bundle, precision=precision)
    seal.check()
    return predictor


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
        device=device_of(settings),
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

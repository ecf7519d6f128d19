"""Loads bundles from disk into predictors and proves them by their examples, at the start and at each reload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from service.bundle import MANIFEST, Bundle, Task, check_external_data, find_bundles, read_bundle, verify
from service.errors import BundleError, SettingsError
from service.models.cards import ModelCard, card_of, device_of, full_name, precision_of
from service.predictors.classifier import Classifier
from service.predictors.language_model import LanguageModel
from service.predictors.predictor import RowPredictor, replay
from service.predictors.tagger import Tagger
from service.predictors.translator import Translator
from service.runtime.resources import Device
from service.runtime.session import Session
from service.settings import PREFIX, Settings, variable

DEFAULT_SETTINGS: Mapping[Task, str] = {
    "tag": "default_tagger",
    "classify": "default_classifier",
    "translate": "default_translator",
    "generate": "default_language_model",
}


class OpenSession(Protocol):
    """Function that opens a graph: onnxruntime's, or a fake's."""

    def __call__(self, path: Path, *, device: Device) -> Session: ...


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


def open_predictor(bundle: Bundle, settings: Settings, open_session: OpenSession) -> AnyPredictor:
    """Verify, load and prove a bundle, and check that nothing of it changed meanwhile. Raises BundleError or
    DeviceError."""
    verified = verify(bundle)
    check_external_data(bundle)
    precision = precision_of(bundle, settings)
    open_graph = partial(open_session, device=device_of(bundle, settings))
    predictor = OPENERS[bundle.manifest.task](bundle, precision, open_graph)
    replay(predictor, bundle, precision=precision)
    verified.check_unchanged()
    return predictor


def name_of(bundle: Bundle) -> str:
    return full_name(bundle.manifest.name, bundle.manifest.version)


def find_versions(models_dir: Path) -> list[Bundle]:
    """Find every bundle and read its manifest, and no more; sorted by name, the highest version of each first. Raises
    BundleError, also for two bundles that are the same version (1.0 and 1.0.0 are)."""
    bundles: dict[tuple[str, object], Bundle] = {}
    for folder in find_bundles(models_dir):
        bundle = read_bundle(folder)
        other = bundles.setdefault((bundle.manifest.name, bundle.version), bundle)
        if other is not bundle:
            raise BundleError(f"{bundle.path(MANIFEST)}: {name_of(bundle)!r} is in {other.folder} too")
    highest_first = sorted(bundles.values(), key=lambda bundle: bundle.version, reverse=True)
    return sorted(highest_first, key=lambda bundle: bundle.manifest.name)


def default_of(task: Task, bundles: Sequence[Bundle], settings: Settings) -> str | None:
    """Return the full name of the model that answers when none is named, or None if the task has no model. It is the
    configured one, else the one whose manifest says so, else the first by name, and of each name the highest version.
    Raises SettingsError or BundleError."""
    of_task = [bundle for bundle in bundles if bundle.manifest.task == task]
    highest = highest_of(of_task)
    wanted: str | None = getattr(settings, DEFAULT_SETTINGS[task])
    if wanted is not None:
        return _configured(wanted, task, of_task, highest)
    chosen = [bundle for bundle in highest.values() if bundle.manifest.default]
    if len(chosen) > 1:
        raise BundleError(f"{chosen[1].path(MANIFEST)}: {chosen[0].folder} is the default for /{task} too")
    first = chosen or list(highest.values())
    return name_of(first[0]) if first else None


def highest_of(bundles: Iterable[Bundle]) -> dict[str, Bundle]:
    """Return the highest version of each name; the bundles are sorted so that it comes first."""
    highest: dict[str, Bundle] = {}
    for bundle in bundles:
        highest.setdefault(bundle.manifest.name, bundle)
    return highest


def _configured(wanted: str, task: Task, of_task: Sequence[Bundle], highest: Mapping[str, Bundle]) -> str:
    full_names = [name_of(bundle) for bundle in of_task]
    if wanted in full_names:
        return wanted
    if wanted in highest:
        return name_of(highest[wanted])
    known = ", ".join(full_names) or "none"
    setting = variable(DEFAULT_SETTINGS[task])
    raise SettingsError(f"{setting}={wanted}: no such model for /{task}; known: {known}")

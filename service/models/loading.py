"""Loads bundles from disk into predictors and proves them by their examples, at the start and at each reload; and the
results of reloads, as they are answered, logged and counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from msgspec import Struct
from prometheus_client import Counter

from service.bundle import (
    MANIFEST,
    Bundle,
    Task,
    check_external_data,
    check_unchanged,
    find_bundles,
    read_bundle,
    verify,
)
from service.errors import BundleError, ReloadFailedError, SettingsError, StartupError
from service.logs import error_fields
from service.metrics import Metrics
from service.models.registry import ModelCard, card_of, device_of, full_name, precision_of
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
# Each makes a predictor of a bundle, its graph, and a function that opens its other graph, where it has one.
OPENERS: Mapping[Task, Callable[[Bundle, Session, Callable[[], Session]], AnyPredictor]] = {
    "tag": lambda bundle, graph, _: Tagger(bundle, graph),
    "classify": lambda bundle, graph, _: Classifier(bundle, graph),
    "translate": lambda bundle, graph, open_encoder: Translator(bundle, encoder=open_encoder(), step=graph),
    "generate": lambda bundle, graph, open_encoder: LanguageModel(bundle, reader=open_encoder(), step=graph),
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedModel:
    """A predictor that has replayed its examples, and its card."""

    card: ModelCard
    predictor: AnyPredictor

    @property
    def full_name(self) -> str:
        return full_name(self.card)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReloadPlan:
    """The models to serve from now on, by name and the highest version of each first, and what that changes."""

    models: Sequence[LoadedModel]
    changes: ReloadResponse

    @property
    def fresh(self) -> list[LoadedModel]:
        """Models that were loaded just now."""
        return [each for each in self.models if each.full_name not in self.changes.kept]


def load_models(settings: Settings, open_session: OpenSession) -> list[LoadedModel]:
    """Load, check and prove every bundle under ``models_dir``. Raises StartupError."""
    return list(reload_models(settings, open_session, ()).models)


def reload_models(settings: Settings, open_session: OpenSession, current: Sequence[LoadedModel]) -> ReloadPlan:
    """Load the models again, keeping the predictors of those whose manifest and precision have not changed. The files
    of kept models are compared with their checksums all the same, since a damaged one could not be started again.
    Nothing of ``current`` is changed. Raises StartupError if any bundle is not sound."""
    bundles = find_versions(settings.models_dir)
    check_precision(bundles, settings.precision)
    defaults = {default_of(task, bundles, settings) for task in OPENERS}
    before = {each.full_name: each for each in current}
    models, kept = list[LoadedModel](), list[str]()
    for bundle in bundles:
        name = full_name(bundle.manifest)
        card = card_of(bundle, settings, is_default=name in defaults)
        known = before.get(name)
        # It need not be loaded again if every file is what it was, and the same graph is wanted.
        if known and (known.card.checksum, known.card.precision) == (card.checksum, card.precision):
            verify(bundle)
            kept.append(name)
            models.append(LoadedModel(card=card, predictor=known.predictor))
        else:
            models.append(LoadedModel(card=card, predictor=open_predictor(bundle, settings, open_session)))
    names = [each.full_name for each in models]
    is_same = kept == names and before.keys() == set(names)
    changes = ReloadResponse(
        result="unchanged" if is_same else "ok",
        added=[name for name in names if name not in before],
        changed=[name for name in names if name in before and name not in kept],
        removed=[name for name in before if name not in names],
        kept=kept,
        seconds=0.0,
    )
    return ReloadPlan(models=models, changes=changes)


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
    opener, graph = OPENERS[bundle.manifest.task], open_graph(bundle.graph(precision))
    predictor = opener(bundle, graph, lambda: open_graph(bundle.encoder(precision)))
    replay(predictor, bundle, precision=precision)
    check_unchanged(bundle, verified)
    return predictor


def find_versions(models_dir: Path) -> list[Bundle]:
    """Find every bundle and read its manifest, and no more; sorted by name, the highest version of each first. Raises
    BundleError, also for two bundles that are the same version (1.0 and 1.0.0 are)."""
    bundles: dict[tuple[str, object], Bundle] = {}
    for folder in find_bundles(models_dir):
        bundle = read_bundle(folder)
        other = bundles.setdefault((bundle.manifest.name, bundle.version), bundle)
        if other is not bundle:
            raise BundleError(f"{bundle.path(MANIFEST)}: {full_name(bundle.manifest)!r} is in {other.folder} too")
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
    return full_name(first[0].manifest) if first else None


def highest_of(bundles: Iterable[Bundle]) -> dict[str, Bundle]:
    """Return the highest version of each name; the bundles are sorted so that it comes first."""
    highest: dict[str, Bundle] = {}
    for bundle in bundles:
        highest.setdefault(bundle.manifest.name, bundle)
    return highest


def _configured(wanted: str, task: Task, of_task: Sequence[Bundle], highest: Mapping[str, Bundle]) -> str:
    full_names = [full_name(bundle.manifest) for bundle in of_task]
    if wanted in full_names:
        return wanted
    if wanted in highest:
        return full_name(highest[wanted].manifest)
    known = ", ".join(full_names) or "none"
    setting = variable(DEFAULT_SETTINGS[task])
    raise SettingsError(f"{setting}={wanted}: no such model for /{task}; known: {known}")


class ReloadResponse(Struct, frozen=True, kw_only=True):
    """Changes that a reload made; models by full name, as ``en-tagger@1.0.0``."""

    result: Literal["ok", "unchanged"]
    added: list[str]
    changed: list[str]
    removed: list[str]
    kept: list[str]
    seconds: float


def log_reload(response: ReloadResponse, reloads: Counter) -> None:
    """Log and count a reload."""
    reloads.labels(response.result).inc()
    names = {"added": response.added, "changed": response.changed, "removed": response.removed, "kept": response.kept}
    fields = {change: ", ".join(models) for change, models in names.items() if models}
    _log.info("models reloaded", extra={"result": response.result, **fields, "seconds": response.seconds})


def log_failure(error: Exception, reloads: Counter) -> ReloadFailedError:
    """Log and count a failed reload, and return the error for the caller. Only messages written for operators are
    passed on; a service that is about to end is no fault of any model."""
    if isinstance(error, ReloadFailedError):
        _log.info("models not looked for again: %s", error)
        return error
    reloads.labels("failed").inc()
    if isinstance(error, StartupError):
        _log.error("models not reloaded; those before are still served: %s", error)
        return ReloadFailedError(f"those before are still served: {error}")
    _log.error("models not reloaded; those before are still served: unexpected error", extra=error_fields(error))
    return ReloadFailedError("those before are still served: something unexpected happened; the log has more")


def set_model_metrics(cards: Iterable[ModelCard], gone: Iterable[ModelCard], metrics: Metrics) -> None:
    """Set the metrics of the models that are served from now on, and of those that are not any more."""
    for card, is_served in [*((card, 0) for card in gone), *((card, 1) for card in cards)]:
        labels = (card.name, card.version, card.task, card.precision, card.checksum)
        metrics.model_info.labels(*labels).set(is_served)
    metrics.models_loaded_at.set(time.time())

"""Bundles on disk become predictors, proved and warm. All of it happens before the service is ready."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from msgspec import UNSET

from service.api.inputs import Limits
from service.api.schemas import ModelCard, PairCard
from service.bundle import MANIFEST, Bundle, Task, find_bundles, load_bundle
from service.errors import BundleError, SettingsError
from service.predictors.classifier import Classifier
from service.predictors.predictor import RowPredictor
from service.predictors.replay import replay
from service.predictors.tagger import Tagger
from service.predictors.translator import Translator
from service.runtime.devices import Device
from service.runtime.session import Session
from service.settings import Settings
from service.settings_rules import PREFIX


class OpenSession(Protocol):
    """How a graph is opened: by onnxruntime, or by a fake."""

    def __call__(self, path: Path, *, device: Device) -> Session: ...


# What a device is better at than at the models' own: hardly an operator of an int8 graph has a CUDA kernel, and
# every other one that has would wait for copies from and to the CPU.
PRECISIONS: Mapping[Device, str] = {"cuda": "fp32"}
AnyPredictor = Translator | RowPredictor[Any, Any]
OpenGraph = Callable[[Path], Session]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a task's models are."""

    open: Callable[[Bundle, str, OpenGraph], AnyPredictor]  # in a precision
    default_setting: str  # field of Settings that names the task's default model


def open_tagger(bundle: Bundle, precision: str, open_graph: OpenGraph) -> Tagger:
    return Tagger(bundle, open_graph(bundle.graph(precision)))


def open_classifier(bundle: Bundle, precision: str, open_graph: OpenGraph) -> Classifier:
    return Classifier(bundle, open_graph(bundle.graph(precision)))


def open_translator(bundle: Bundle, precision: str, open_graph: OpenGraph) -> Translator:
    encoder, step = open_graph(bundle.encoder(precision)), open_graph(bundle.graph(precision))
    return Translator(bundle, encoder=encoder, step=step)


KINDS: Mapping[Task, Kind] = {
    "tag": Kind(open=open_tagger, default_setting="default_tagger"),
    "classify": Kind(open=open_classifier, default_setting="default_classifier"),
    "translate": Kind(open=open_translator, default_setting="default_translator"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """A predictor that has replayed its examples."""

    card: ModelCard
    predictor: AnyPredictor


def load_models(settings: Settings, open_session: OpenSession) -> list[Loaded]:
    """Every bundle under ``models_dir``, checked and warm. Raises StartupError."""
    bundles = find_unique(settings.models_dir)
    check_precision(bundles.values(), settings.precision)
    defaults = {default_of(task, bundles.values(), settings) for task in KINDS}
    return [
        Loaded(
            card=describe(bundle, settings, is_default=name in defaults),
            predictor=open_predictor(bundle, settings, open_session),
        )
        for name, bundle in bundles.items()
    ]


def find_unique(models_dir: Path) -> dict[str, Bundle]:
    """Verified bundles by the name in their manifest."""
    bundles: dict[str, Bundle] = {}
    for folder in find_bundles(models_dir):
        bundle = load_bundle(folder)
        name = bundle.manifest.name
        if name in bundles:
            raise BundleError(f"{folder / MANIFEST}: {bundles[name].folder} is named {name!r} too")
        bundles[name] = bundle
    return bundles


def default_of(task: Task, bundles: Iterable[Bundle], settings: Settings) -> str | None:
    """The model that answers when none is named: the configured one, else the one whose manifest says so, else the
    first by name; none if the task has no model. Raises SettingsError or BundleError."""
    of_task = {bundle.manifest.name: bundle for bundle in bundles if bundle.manifest.task == task}
    field = KINDS[task].default_setting
    wanted: str | None = getattr(settings, field)
    if wanted is not None:
        if wanted not in of_task:
            known = ", ".join(of_task) or "none"
            raise SettingsError(f"{PREFIX}{field.upper()}={wanted}: no such model for /{task}; known: {known}")
        return wanted
    named = [bundle for bundle in of_task.values() if bundle.manifest.default]
    if len(named) > 1:
        raise BundleError(f"{named[1].path(MANIFEST)}: {named[0].folder} is the default for /{task} too")
    return named[0].manifest.name if named else min(of_task, default=None)


def check_precision(bundles: Iterable[Bundle], wanted: str | None) -> None:
    """Raises SettingsError if no model has the precision that is asked for."""
    known = {name for bundle in bundles for name in bundle.manifest.precisions}
    if wanted is not None and wanted not in known:
        raise SettingsError(f"{PREFIX}PRECISION={wanted}: no model has it; known: {', '.join(sorted(known))}")


def precision_of(bundle: Bundle, settings: Settings) -> str:
    """The configured one, where this model has it; else the model's own, or on a GPU that for which it has kernels."""
    manifest = bundle.manifest
    wanted = settings.precision or PRECISIONS.get(device_of(settings))
    return wanted if wanted in manifest.precisions else manifest.default_precision


def device_of(settings: Settings) -> Device:
    """Where models run. ``auto`` is one of the others by the time that a model is loaded on a GPU: service.app."""
    return "cuda" if settings.device == "cuda" else "cpu"


def open_predictor(bundle: Bundle, settings: Settings, open_session: OpenSession) -> AnyPredictor:
    """Loaded and proved. Raises BundleError or DeviceError."""
    precision = precision_of(bundle, settings)
    predictor = KINDS[bundle.manifest.task].open(bundle, precision, partial(open_session, device=device_of(settings)))
    replay(predictor, bundle, precision=precision)
    return predictor


def describe(bundle: Bundle, settings: Settings, *, is_default: bool) -> ModelCard:
    """What GET /models says of it; entity labels without their BIOES prefixes."""
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
        checksum=bundle.checksum,
        metrics=manifest.metrics,
        pairs=[PairCard(pair.source, pair.target) for pair in manifest.pairs] or UNSET,
    )


def plain_labels(tags: Sequence[str]) -> list[str]:
    """``O B-PER I-PER E-PER S-PER`` is the one label ``PER``; other tags are labels themselves."""
    if "O" not in tags:
        return list(tags)
    return list(dict.fromkeys(tag.partition("-")[2] for tag in tags if "-" in tag))


def request_limits(settings: Settings) -> Limits:
    return Limits(
        max_items=settings.max_items,
        max_text_length=settings.max_text_length,
        max_request_length=settings.max_request_length,
    )

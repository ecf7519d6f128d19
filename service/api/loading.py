"""Bundles on disk become taggers, proved and warm. All of it happens before the service is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from service.api.inputs import Limits
from service.api.schemas import ModelCard
from service.bundle import MANIFEST, Bundle, find_bundles, load_bundle
from service.errors import BundleError, SettingsError
from service.predictors.replay import replay
from service.predictors.tagger import Tagger
from service.runtime.session import Device, Session
from service.settings import Settings


class OpenSession(Protocol):
    """How a graph is opened: by onnxruntime, or by a fake."""

    def __call__(self, path: Path, *, device: Device) -> Session: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedTagger:
    """A tagger that has replayed its examples."""

    card: ModelCard
    tagger: Tagger


def load_taggers(settings: Settings, open_session: OpenSession) -> list[LoadedTagger]:
    """Every bundle under ``models_dir``, checked and warm. Raises StartupError."""
    bundles = find_unique(settings.models_dir)
    default = default_name(bundles, settings.default_tagger)
    return [
        LoadedTagger(
            card=describe(bundle, settings, is_default=name == default),
            tagger=open_tagger(bundle, settings, open_session),
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


def default_name(bundles: Mapping[str, Bundle], wanted: str | None) -> str:
    """The configured one, else the first by name."""
    if wanted is None:
        return min(bundles)
    if wanted not in bundles:
        raise SettingsError(f"RIBBON_DEFAULT_TAGGER={wanted}: no such model; known: {', '.join(bundles)}")
    return wanted


def open_tagger(bundle: Bundle, settings: Settings, open_session: OpenSession) -> Tagger:
    """Loaded, proved and warm. Raises BundleError or DeviceError."""
    precision = settings.precision or bundle.manifest.default_precision
    tagger = Tagger(bundle, open_session(bundle.graph(precision), device=settings.device))
    replay(tagger, bundle, precision=precision)
    return tagger


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
        precision=settings.precision or manifest.default_precision,
        limits={**manifest.limits, **request_limits(settings).as_dict()},
        licence=manifest.licence,
        checksum=bundle.checksum,
        metrics=manifest.metrics,
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

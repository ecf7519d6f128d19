"""Versions of bundles: several of one name side by side, the highest of each, and each task's default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from service.bundle import MANIFEST, Bundle, Task, find_bundles, read_bundle
from service.errors import BundleError, SettingsError
from service.settings import Settings
from service.settings_rules import variable

DEFAULT_SETTINGS: Mapping[Task, str] = {
    "tag": "default_tagger",
    "classify": "default_classifier",
    "translate": "default_translator",
    "generate": "default_language_model",
}


def full_name(name: str, version: str) -> str:
    """Return a model's full name as requests may give it: ``en-tagger@1.0.0``."""
    return f"{name}@{version}"


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

"""Command ``ribbon models``: the bundles of a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ribbon.console.options import api_key_option, models_dir_option, url_option
from ribbon.console.output import write_lines
from ribbon.errors import ModelError

if TYPE_CHECKING:
    from ribbon.answers import ModelInfo
    from service.bundle import Bundle, Manifest

HEAD = ("NAME", "VERSION", "TASK", "LANGUAGES", "COMMERCIAL USE", "LICENCE")
EPILOG = """\b
Examples:
  ribbon models list
  ribbon models info en-tagger
  ribbon models verify
  ribbon models pull https://example.org/en-tickets.tar.gz --sha256 9f86d0...
"""
PULL_EPILOG = """\b
Examples:
  ribbon models pull ../tickets/models/en-tickets
  ribbon models pull https://example.org/en-tickets.tar.gz --sha256 9f86d0...
"""
Row = tuple[str, ...]


@click.group(epilog=EPILOG)
def models() -> None:
    """List, describe, verify and fetch models."""


@models.command("list")
@models_dir_option
@url_option
@api_key_option
@click.option("--json", "as_json", is_flag=True, help="A JSON array, as GET /models describes models.")
def list_models(models_dir: Path, url: str | None, api_key: str | None, as_json: bool) -> None:
    """List the models of the folder, or those that the service at --url serves."""
    import msgspec

    if url is not None:
        from ribbon.client import Client

        with Client(url, api_key=api_key) as client:
            served = client.models()
        described: Any = served
        rows = [row_of(each) for each in served]
    else:
        from ribbon.local import bundles_in

        manifests = [bundle.manifest for bundle in bundles_in(models_dir)]
        described = [each.model_dump(mode="json", exclude_unset=True) for each in manifests]
        rows = [row_of(each) for each in manifests]
    write_lines([msgspec.json.encode(described).decode()] if as_json else table_of(HEAD, rows))


@models.command("info")
@click.argument("name")
@models_dir_option
@click.option("--card", is_flag=True, help="The model's card, for people.")
@click.option("--json", "as_json", is_flag=True, help="The bundle's manifest.")
def info(name: str, models_dir: Path, card: bool, as_json: bool) -> None:
    """Describe a model: what it does, its labels, limits, corpora and figures."""
    from ribbon.local import bundle_named, bundles_in
    from service.bundle import CARD, MANIFEST

    bundle = bundle_named(bundles_in(models_dir), name, models_dir)
    if card or as_json:
        click.echo(bundle.path(CARD if card else MANIFEST).read_text("utf-8"), nl=False)
    else:
        write_lines(description_of(bundle))


@models.command("verify")
@click.argument("names", metavar="[NAME|FOLDER]...", nargs=-1)
@models_dir_option
def verify(names: tuple[str, ...], models_dir: Path) -> None:
    """Check every file of models against its checksum and answer their examples again, as the service does when it
    loads them. Without a name, all of the folder."""
    from ribbon.local import bundles_in
    from ribbon.pull import prove

    folders = [folder_of(name, models_dir) for name in names] or [each.folder for each in bundles_in(models_dir)]
    failed = 0
    for folder in folders:
        try:
            bundle = prove(folder)
        except ModelError as error:
            failed += 1
            click.echo(f"{folder}: {click.style('failed', fg='red')}: {error}", err=True)
        else:
            click.echo(f"{folder}: ok, {bundle.manifest.name}@{bundle.manifest.version}, {bundle.checksum}")
    sys.exit(1 if failed else 0)


@models.command("pull", epilog=PULL_EPILOG)
@click.argument("source")
@models_dir_option
@click.option("--sha256", help="Checksum: of an archive its own, of a folder that of its manifest.")
@click.option("--force", is_flag=True, help="Replace a model of the same name and version.")
def pull(source: str, models_dir: Path, sha256: str | None, force: bool) -> None:
    """Fetch a bundle into the folder: from an address (.tar.gz or .zip), an archive or another folder.

    It is verified before it is moved to its place, as a whole. Without --sha256 an address must be https.
    """
    from ribbon.pull import pull as fetch

    folder = fetch(source, models_dir, sha256=sha256, force=force)
    click.echo(f"{folder}: verified; ribbon serve --models {models_dir} serves it")


def folder_of(name: str, models_dir: Path) -> Path:
    """Return the folder of a bundle that is given by its name or its path. Raises ModelError."""
    from ribbon.local import bundle_named, bundles_in

    return Path(name) if Path(name).is_dir() else bundle_named(bundles_in(models_dir), name, models_dir).folder


def description_of(bundle: Bundle) -> Iterator[str]:
    """Yield the lines that describe a bundle."""
    manifest = bundle.manifest
    size = sum(file.size_bytes for file in manifest.files.values())
    fields = {
        "name": f"{manifest.name}@{manifest.version}",
        "task": manifest.task,
        "description": manifest.description,
        "languages": " ".join(manifest.languages),
        "pairs": pairs_text(manifest),
        **{f"labels, {kind}": " ".join(labels) for kind, labels in manifest.labels.items()},
        "limits": ", ".join(f"{name} {value}" for name, value in manifest.limits.items()),
        "precisions": f"{' '.join(manifest.precisions)} (default: {manifest.default_precision})",
        "licence": manifest.licence,
        "commercial use": yes_or_no(manifest.commercial_use),
        "folder": f"{bundle.folder}, {size / 1e6:.1f} MB",
        "checksum": bundle.checksum,
    }
    width = max(map(len, fields))
    yield from (f"{name:{width}}  {value}" for name, value in fields.items() if value)
    for corpus in manifest.corpora:
        yield f"{'corpus':{width}}  {corpus.name} ({corpus.licence}): {corpus.use}"


def row_of(model: Manifest | ModelInfo) -> Row:
    """Return a model's row of the list; a translator's languages are its pairs, such as ``en-es``."""
    languages = pairs_text(model) or " ".join(model.languages)
    return model.name, model.version, model.task, languages, yes_or_no(model.commercial_use), model.licence


def pairs_text(model: Manifest | ModelInfo) -> str:
    """Return the language pairs of a translator, such as ``en-es``; of other models an empty text."""
    return " ".join(f"{pair.source}-{pair.target}" for pair in model.pairs or ())


def yes_or_no(value: bool | None) -> str:
    """Return yes, no, or that it is not said."""
    return {True: "yes", False: "no", None: "not said"}[value]


def table_of(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table with columns as wide as they must be."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()

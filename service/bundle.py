"""A model on disk: a folder whose manifest says what is in it, checked against its checksums.

``docs/bundle-format.md`` tells the format; ``training`` writes it. Nothing in it is code: JSON,
Markdown and ONNX.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from service.errors import BundleError

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
VOCABULARIES = "vocabularies.json"
SUBWORDS = "subwords.model"
EXAMPLES = "examples.json"
CARD = "CARD.md"

Task = Literal["tag", "classify", "translate"]  # and where it is asked for: /tag, /classify


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class File(_Part):
    """What a file of the bundle must be."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)


class Tensor(_Part):
    """An input or output of the graph; ``shape`` in axis words, or a number where it is fixed."""

    name: str
    type: Literal["int32", "int64", "float32"]
    shape: tuple[str | int, ...]


class Precision(_Part):
    """One variant of the graph."""

    file: str
    encoder: str | None = Field(None, description="a translator's other graph; ``file`` is its decoder's step")
    metrics: dict[str, float]
    max_drift: float = Field(ge=0, description="most by which a score may differ between this graph and its examples")


class Corpus(_Part):
    """Where the weights come from, and on what terms."""

    name: str
    use: str
    licence: str
    source: str


class Pair(_Part):
    """From which language to which, and the subword that asks for it."""

    source: str
    target: str
    tag: str


class Manifest(_Part):
    """Everything that is to be known of a model before it is loaded."""

    format_version: int
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    version: str
    task: Task
    default: bool = Field(False, description="answers for its task when no model is named")
    languages: tuple[str, ...]
    pairs: tuple[Pair, ...] = Field((), description="what a translator translates")
    description: str
    licence: str
    corpora: tuple[Corpus, ...]
    features: dict[str, int]
    labels: dict[str, tuple[str, ...]]
    limits: dict[str, int]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    precisions: dict[str, Precision]
    default_precision: str
    default_reason: str
    metrics: dict[str, Any]
    files: dict[str, File]

    @field_validator("format_version")
    @classmethod
    def _readable(cls, version: int) -> int:
        """Checked with the first field, so that a later format is called that and not full of unknown fields."""
        if version != FORMAT_VERSION:
            raise ValueError(f"this service reads {FORMAT_VERSION}, not {version}")
        return version


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle whose every file is what its manifest says."""

    folder: Path
    manifest: Manifest
    checksum: str  # sha256 of the manifest, and so of everything

    def path(self, name: str) -> Path:
        return self.folder / name

    def graph(self, precision: str | None = None) -> Path:
        """The ONNX file of a precision, or of the default one. Raises BundleError on an unknown one."""
        return self.path(self._variant(precision).file)

    def encoder(self, precision: str | None = None) -> Path:
        """A translator's other graph. Raises BundleError if there is none."""
        variant = self._variant(precision)
        if variant.encoder is None:
            raise BundleError(f"{self.folder / MANIFEST}: a precision without an encoder")
        return self.path(variant.encoder)

    def _variant(self, precision: str | None) -> Precision:
        wanted = precision or self.manifest.default_precision
        if wanted not in self.manifest.precisions:
            known = ", ".join(self.manifest.precisions)
            raise BundleError(f"{self.folder / MANIFEST}: no precision {wanted!r}; known: {known}")
        return self.manifest.precisions[wanted]


def find_bundles(models_dir: Path) -> list[Path]:
    """Folders with a manifest, by name. Raises BundleError if there is none."""
    folders = sorted(path.parent for path in models_dir.glob(f"*/{MANIFEST}"))
    if not folders:
        raise BundleError(f"{models_dir}: no bundle here (a folder with a {MANIFEST})")
    return folders


def load_bundle(folder: Path) -> Bundle:
    """Read the manifest and check every file it lists. Raises BundleError that names the file at fault."""
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
        manifest = Manifest.model_validate_json(content)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "not a manifest"
        raise BundleError(f"{path}: {place}: {first['msg']}") from error
    for name in required_files(manifest):
        if name not in manifest.files:
            raise BundleError(f"{path}: lists no {name}")
    for name, file in manifest.files.items():
        _verify(folder / name, file)
    return Bundle(folder=folder, manifest=manifest, checksum=hashlib.sha256(content).hexdigest())


def required_files(manifest: Manifest) -> list[str]:
    words = SUBWORDS if manifest.task == "translate" else VOCABULARIES
    graphs = [file for variant in manifest.precisions.values() for file in (variant.file, variant.encoder) if file]
    return [words, EXAMPLES, CARD, *graphs]


def _verify(path: Path, expected: File) -> None:
    try:
        actual = describe(path)
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    if actual.size_bytes != expected.size_bytes:
        raise BundleError(f"{path}: {actual.size_bytes} bytes; the manifest says {expected.size_bytes}")
    if actual.sha256 != expected.sha256:
        raise BundleError(f"{path}: checksum {actual.sha256[:12]}…; the manifest says {expected.sha256[:12]}…")


def describe(path: Path) -> File:
    """Size and checksum of a file as it is."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return File(sha256=digest.hexdigest(), size_bytes=path.stat().st_size)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> Manifest:
    """Complete a manifest with the checksums of the folder's files and write it. Raises ValidationError."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    files = {name: describe(folder / name) for name in names}
    complete = Manifest.model_validate({"format_version": FORMAT_VERSION, **manifest, "files": files})
    (folder / MANIFEST).write_text(complete.model_dump_json(indent=2, exclude_unset=True) + "\n", encoding="utf-8")
    return complete

"""A model on disk: a folder whose manifest says what is in it, checked against its checksums.

``docs/bundle-format.md`` tells the format; ``training`` writes it. Nothing in it is code: JSON,
Markdown and ONNX. Nothing in it names a file outside of its folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from service.errors import BundleError

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
VOCABULARIES = "vocabularies.json"
SUBWORDS = "subwords.model"
EXAMPLES = "examples.json"
CARD = "CARD.md"

MAX_MANIFEST_BYTES = 2**20
MAX_READ_BYTES = 2**26  # of a file that is read as a whole: vocabularies, subwords, examples, card
MAX_FILE_BYTES = 2**32
MAX_FILES = 64

Task = Literal["tag", "classify", "translate"]  # and where it is asked for: /tag, /classify


# A plain name: no folder, no way out of one, nothing hidden.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class File(_Part):
    """What a file of the bundle must be."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0, le=MAX_FILE_BYTES)


class Tensor(_Part):
    """An input or output of the graph; ``shape`` in axis words, or a number where it is fixed."""

    name: str
    type: Literal["int32", "int64", "float32"]
    shape: tuple[str | int, ...]


class Precision(_Part):
    """One variant of the graph."""

    file: FileName
    encoder: FileName | None = Field(None, description="a translator's other graph; ``file`` is its decoder's step")
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
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=64)
    version: str = Field(pattern=r"^[0-9][A-Za-z0-9.+-]*$", max_length=64)
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
    files: dict[FileName, File] = Field(max_length=MAX_FILES)

    @field_validator("format_version")
    @classmethod
    def _readable(cls, version: int) -> int:
        """Checked with the first field, so that a later format is called that and not full of unknown fields."""
        if version != FORMAT_VERSION:
            raise ValueError(f"this service reads {FORMAT_VERSION}, not {version}")
        return version

    @field_validator("version")
    @classmethod
    def _ordered(cls, version: str) -> str:
        """Of several versions one must be the highest."""
        try:
            Version(version)
        except InvalidVersion as error:
            raise ValueError("not a version such as 1.0.0, 1.1.0rc1 or 2.0") from error
        return version

    @model_validator(mode="after")
    def _readable_at_once(self) -> Self:
        for name in (VOCABULARIES, SUBWORDS, EXAMPLES, CARD):
            if name in self.files and self.files[name].size_bytes > MAX_READ_BYTES:
                raise ValueError(f"{name} is read as a whole and may have {MAX_READ_BYTES} bytes")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A folder and what its manifest says; :func:`verify` says whether that is so."""

    folder: Path
    manifest: Manifest
    checksum: str  # sha256 of the manifest, and so of everything

    @property
    def version(self) -> Version:
        """1.10 is higher than 1.9, and 2.0 than 2.0rc1 (PEP 440)."""
        return Version(self.manifest.version)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What changes when a file is written to, and when another takes its place."""

    device: int
    inode: int
    size: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return cls(device=status.st_dev, inode=status.st_ino, size=status.st_size, changed_ns=status.st_ctime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The files of a bundle as they were verified."""

    bundle: Bundle
    folder: Identity
    files: Mapping[str, Identity]

    def check(self) -> None:
        """Raises BundleError if a file was exchanged or written to since, even if all is back as it was: what was
        read meanwhile may have been something else. Contents are compared again because the clock that stamps
        changes is coarse."""
        again = verify(self.bundle)
        for name, identity in again.files.items():
            if identity != self.files[name]:
                raise BundleError(f"{self.bundle.path(name)}: changed while it was loaded")
        if again.folder != self.folder:
            raise BundleError(f"{self.bundle.folder}: changed while it was loaded")


def find_bundles(models_dir: Path) -> list[Path]:
    """Folders with a manifest, by name; hidden ones are none. Raises BundleError if there is none."""
    manifests = models_dir.glob(f"*/{MANIFEST}")
    folders = sorted(path.parent for path in manifests if not path.parent.name.startswith("."))
    if not folders:
        raise BundleError(f"{models_dir}: no bundle here (a folder with a {MANIFEST})")
    return folders


def load_bundle(folder: Path) -> Bundle:
    """Read the manifest and check every file it lists. Raises BundleError that names the file at fault."""
    bundle = read_bundle(folder)
    verify(bundle)
    return bundle


def read_bundle(folder: Path) -> Bundle:
    """Read the manifest alone. Raises BundleError."""
    path = folder / MANIFEST
    try:
        with _open_inside(folder, MANIFEST) as file:
            content = file.read(MAX_MANIFEST_BYTES + 1)
        if len(content) > MAX_MANIFEST_BYTES:
            raise BundleError(f"{path}: more than {MAX_MANIFEST_BYTES} bytes")
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
    return Bundle(folder=folder, manifest=manifest, checksum=hashlib.sha256(content).hexdigest())


def verify(bundle: Bundle) -> Seal:
    """Check the manifest and every file it lists. Raises BundleError that names the file at fault."""
    try:
        folder = Identity.of(bundle.folder.stat())
    except OSError as error:  # taken away since its manifest was read
        raise BundleError(f"{bundle.folder}: {error.strerror}") from error
    files = {name: _verify_file(bundle, name) for name in (MANIFEST, *bundle.manifest.files)}
    return Seal(bundle=bundle, folder=folder, files=files)


def required_files(manifest: Manifest) -> list[str]:
    words = SUBWORDS if manifest.task == "translate" else VOCABULARIES
    graphs = [file for variant in manifest.precisions.values() for file in (variant.file, variant.encoder) if file]
    return [words, EXAMPLES, CARD, *graphs]


def _verify_file(bundle: Bundle, name: str) -> Identity:
    """The identity of a listed file, or of the manifest, that is what it should be. Raises BundleError."""
    path, expected = bundle.path(name), bundle.manifest.files.get(name)
    try:
        with _open_inside(bundle.folder, name) as file:
            identity = Identity.of(os.fstat(file.fileno()))
            if expected is not None and identity.size != expected.size_bytes:
                raise BundleError(f"{path}: {identity.size} bytes; the manifest says {expected.size_bytes}")
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    if expected is None and sha256 != bundle.checksum:
        raise BundleError(f"{path}: changed while it was loaded")
    if expected is not None and sha256 != expected.sha256:
        raise BundleError(f"{path}: checksum {sha256[:12]}…; the manifest says {expected.sha256[:12]}…")
    return identity


def _open_inside(folder: Path, name: str) -> BufferedReader:
    """A plain file of the folder. Raises OSError, and BundleError if it is something else or a link that leads out."""
    path = folder / name
    real = Path(os.path.realpath(path, strict=True))
    if not real.is_relative_to(os.path.realpath(folder)):
        raise BundleError(f"{path}: a link that leads out of its folder")
    if not stat.S_ISREG(real.stat().st_mode):  # to open a pipe would wait for ever
        raise BundleError(f"{path}: not a file")
    return real.open("rb")


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

"""Bundle folders: finds, reads, verifies and writes them. Only plain files inside a folder are ever opened.

A graph may read weights from other files, its external data, which onnxruntime opens by itself. Why they are not given
to it from memory is in docs/adr/0012-weights-are-opened-by-onnxruntime.md.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from packaging.version import Version
from pydantic import ValidationError

from service.bundle.manifest import (
    FORMAT_VERSION,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    File,
    Manifest,
    Precision,
    required_files,
)
from service.errors import BundleError

FOLDER = "."  # name of the folder among its files, of which none can have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A folder and its manifest; :func:`verify` checks the one against the other."""

    folder: Path
    manifest: Manifest
    checksum: str  # sha256 of the manifest, and so of everything

    @property
    def version(self) -> Version:
        """Version that orders as in PEP 440: 1.10 is higher than 1.9, and 2.0 than 2.0rc1."""
        return Version(self.manifest.version)

    def path(self, name: str) -> Path:
        return self.folder / name

    def graph(self, precision: str | None = None) -> Path:
        """Return the ONNX file of a precision, or of the default one. Raises BundleError on an unknown precision."""
        return self.path(self._variant(precision).file)

    def encoder(self, precision: str | None = None) -> Path:
        """Return the file of a translator's encoder graph. Raises BundleError if there is none."""
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


class FileIdentity(NamedTuple):
    """Identity of a file or folder; it changes when that is written to, or another takes its place."""

    device: int
    inode: int
    size_bytes: int
    changed_ns: int


def identity_of(status: os.stat_result) -> FileIdentity:
    return FileIdentity(
        device=status.st_dev, inode=status.st_ino, size_bytes=status.st_size, changed_ns=status.st_ctime_ns
    )


def find_bundles(models_dir: Path) -> list[Path]:
    """Return the folders with a manifest, by name, without hidden ones. Raises BundleError if there is none."""
    manifests = models_dir.glob(f"*/{MANIFEST}")
    folders = sorted(path.parent for path in manifests if not path.parent.name.startswith("."))
    if not folders:
        raise BundleError(f"{models_dir}: no bundle here (a folder with a {MANIFEST})")
    return folders


def read_bundle(folder: Path) -> Bundle:
    """Read the manifest alone. Raises BundleError."""
    path = folder / MANIFEST
    try:
        with open_inside(folder, MANIFEST) as file:
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


def open_inside(folder: Path, name: str) -> BufferedReader:
    """Open a plain file of the folder. Raises OSError, and BundleError for what is no file or a link that leads out."""
    path = folder / name
    real = Path(os.path.realpath(path, strict=True))
    if not real.is_relative_to(os.path.realpath(folder)):
        raise BundleError(f"{path}: a link that leads out of its folder")
    if not stat.S_ISREG(real.stat().st_mode):  # to open a pipe would wait for ever
        raise BundleError(f"{path}: not a file")
    return real.open("rb")


def load_bundle(folder: Path) -> Bundle:
    """Read the manifest and check every file it lists. Raises BundleError that names the file at fault."""
    bundle = read_bundle(folder)
    verify(bundle)
    return bundle


def verify(bundle: Bundle) -> Mapping[str, FileIdentity]:
    """Check the manifest and every file it lists, and return the identity of each by name, that of the folder by
    FOLDER. Raises BundleError that names the file at fault."""
    try:
        folder = identity_of(bundle.folder.stat())
    except OSError as error:  # taken away since its manifest was read
        raise BundleError(f"{bundle.folder}: {error.strerror}") from error
    return {**{name: _verify_file(bundle, name) for name in (MANIFEST, *bundle.manifest.files)}, FOLDER: folder}


def check_unchanged(bundle: Bundle, verified: Mapping[str, FileIdentity]) -> None:
    """Raise BundleError if a file was exchanged or written to since it was verified. It is raised even if all is back
    as it was: the bytes read meanwhile may have been others. Contents are compared again because the clock that stamps
    changes is coarse."""
    for name, identity in verify(bundle).items():
        if identity != verified[name]:
            raise BundleError(f"{bundle.path(name)}: changed while it was loaded")


def _verify_file(bundle: Bundle, name: str) -> FileIdentity:
    """Check a listed file, or the manifest, and return its identity. Raises BundleError."""
    path, expected = bundle.path(name), bundle.manifest.files.get(name)
    try:
        with open_inside(bundle.folder, name) as file:
            status = os.fstat(file.fileno())
            if expected is not None and status.st_size != expected.size_bytes:
                raise BundleError(f"{path}: {status.st_size} bytes; the manifest says {expected.size_bytes}")
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}") from error
    if expected is None and sha256 != bundle.checksum:
        raise BundleError(f"{path}: changed while it was loaded")
    if expected is not None and sha256 != expected.sha256:
        raise BundleError(f"{path}: checksum {sha256[:12]}…; the manifest says {expected.sha256[:12]}…")
    return identity_of(status)


def file_entry(path: Path) -> File:
    """Return the size and checksum of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return File(sha256=digest.hexdigest(), size_bytes=path.stat().st_size)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> Manifest:
    """Complete a manifest with the checksums of the folder's files and write it. Raises ValidationError."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    files = {name: file_entry(folder / name) for name in names}
    complete = Manifest.model_validate({"format_version": FORMAT_VERSION, **manifest, "files": files})
    (folder / MANIFEST).write_text(complete.model_dump_json(indent=2, exclude_unset=True) + "\n", encoding="utf-8")
    return complete


# Where tensors may be: of each message of onnx.proto the fields that lead to one, and the message that each holds.
INSIDE: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
}
TENSOR, EXTERNAL_DATA, KEY, VALUE = "TensorProto", 13, 1, 2


class Wire(IntEnum):
    """Wire types of protobuf fields; the old groups, 3 and 4, are not in onnx.proto."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


def check_external_data(bundle: Bundle) -> None:
    """Raise BundleError if a graph names a file that the manifest does not list, and that so nobody has checked."""
    graphs = {file for each in bundle.manifest.precisions.values() for file in (each.file, each.encoder) if file}
    for graph in sorted(graphs):
        for location in sorted(external_files(bundle.path(graph))):
            if location not in bundle.manifest.files:
                raise BundleError(f"{bundle.path(graph)}: reads {location!r}, which {MANIFEST} does not list")


def external_files(path: Path) -> set[str]:
    """Return the locations of external data as they are written. Raises BundleError if it is no ONNX file."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return set(_locations(content))
    except (ValueError, IndexError) as error:  # an empty file too
        raise BundleError(f"{path}: not an ONNX file") from error


def _locations(content: mmap.mmap) -> Iterator[str]:
    """Walk over all messages that may hold tensors, however deep; others are stepped over, weights too."""
    messages = [("ModelProto", 0, len(content))]
    while messages:
        message, start, end = messages.pop()
        for number, first, last in _fields(content, start, end):
            if message == TENSOR and number == EXTERNAL_DATA:
                yield from _location(content, first, last)
            elif number in INSIDE.get(message, {}):
                messages.append((INSIDE[message][number], first, last))


def _location(content: mmap.mmap, start: int, end: int) -> Iterator[str]:
    """Yield the values of an entry whose key is ``location``; all of them, should it hold several."""
    fields = [(number, content[first:last]) for number, first, last in _fields(content, start, end)]
    if (KEY, b"location") in fields:
        yield from (value.decode("utf-8", "backslashreplace") for number, value in fields if number == VALUE)


def _fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field with a length. Raises ValueError or IndexError if it is no message."""
    while start < end:
        tag, start = _varint(content, start)
        wire, size = Wire(tag & 7), 0
        if wire is Wire.VARINT:
            _, start = _varint(content, start)
        elif wire is Wire.BYTES:
            size, start = _varint(content, start)
        else:
            size = 8 if wire is Wire.FIXED64 else 4
        if start + size > end:
            raise ValueError("a field beyond its message")
        if wire is Wire.BYTES:
            yield tag >> 3, start, start + size
        start += size


def _varint(content: mmap.mmap, start: int) -> tuple[int, int]:
    """Read a number of up to ten bytes; returns it and where it ends."""
    value = 0
    for place in range(10):
        byte = content[start + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, start + place + 1
    raise ValueError("a number without end")

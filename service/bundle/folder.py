"""Bundle folders: finds them and reads their manifests. Only plain files inside a folder are ever opened."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from packaging.version import Version
from pydantic import ValidationError

from service.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, Precision, required_files
from service.errors import BundleError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A folder and its manifest; :func:`service.bundle.verify` checks the one against the other."""

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
    """Open a plain file of the folder. Raises OSError, and BundleError if it is no plain file or a link that leads
    out."""
    path = folder / name
    real = Path(os.path.realpath(path, strict=True))
    if not real.is_relative_to(os.path.realpath(folder)):
        raise BundleError(f"{path}: a link that leads out of its folder")
    if not stat.S_ISREG(real.stat().st_mode):  # to open a pipe would wait for ever
        raise BundleError(f"{path}: not a file")
    return real.open("rb")

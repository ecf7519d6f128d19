"""Verification of a bundle: every file against its checksum in the manifest, again after it has been loaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from service.bundle.folder import Bundle, open_inside, read_bundle
from service.bundle.manifest import MANIFEST
from service.errors import BundleError


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Identity of a file; it changes when the file is written to, or another takes its place."""

    device: int
    inode: int
    size: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return cls(device=status.st_dev, inode=status.st_ino, size=status.st_size, changed_ns=status.st_ctime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Identities of a bundle's files as they were verified."""

    bundle: Bundle
    folder: Identity
    files: Mapping[str, Identity]

    def check(self) -> None:
        """Raise BundleError if a file was exchanged or written to since it was verified.

        It is raised even if all is back as it was: the bytes read meanwhile may have been others. Contents are compared
        again because the clock that stamps changes is coarse.
        """
        again = verify(self.bundle)
        for name, identity in again.files.items():
            if identity != self.files[name]:
                raise BundleError(f"{self.bundle.path(name)}: changed while it was loaded")
        if again.folder != self.folder:
            raise BundleError(f"{self.bundle.folder}: changed while it was loaded")


def load_bundle(folder: Path) -> Bundle:
    """Read the manifest and check every file it lists. Raises BundleError that names the file at fault."""
    bundle = read_bundle(folder)
    verify(bundle)
    return bundle


def verify(bundle: Bundle) -> Seal:
    """Check the manifest and every file it lists. Raises BundleError that names the file at fault."""
    try:
        folder = Identity.of(bundle.folder.stat())
    except OSError as error:  # taken away since its manifest was read
        raise BundleError(f"{bundle.folder}: {error.strerror}") from error
    files = {name: _verify_file(bundle, name) for name in (MANIFEST, *bundle.manifest.files)}
    return Seal(bundle=bundle, folder=folder, files=files)


def _verify_file(bundle: Bundle, name: str) -> Identity:
    """Check a listed file, or the manifest, and return its identity. Raises BundleError."""
    path, expected = bundle.path(name), bundle.manifest.files.get(name)
    try:
        with open_inside(bundle.folder, name) as file:
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

"""Writes the manifest of a folder of files, as the last step of ``training``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.bundle.manifest import FORMAT_VERSION, MANIFEST, File, Manifest


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

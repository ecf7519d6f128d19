"""A model on disk: a folder whose manifest lists its files and their checksums.

``docs/bundle-format.md`` describes the format; ``training`` writes it. A bundle holds no code, only JSON, Markdown and
ONNX, and names no file outside of its folder.
"""

from service.bundle.folder import Bundle, find_bundles, read_bundle
from service.bundle.manifest import (
    CARD,
    EXAMPLES,
    FORMAT_VERSION,
    MANIFEST,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    MAX_READ_BYTES,
    SUBWORDS,
    VOCABULARIES,
    Manifest,
    Task,
)
from service.bundle.verification import Seal, load_bundle, verify
from service.bundle.writing import file_entry, write_manifest

__all__ = [
    "CARD",
    "EXAMPLES",
    "FORMAT_VERSION",
    "MANIFEST",
    "MAX_FILES",
    "MAX_FILE_BYTES",
    "MAX_MANIFEST_BYTES",
    "MAX_READ_BYTES",
    "SUBWORDS",
    "VOCABULARIES",
    "Bundle",
    "Manifest",
    "Seal",
    "Task",
    "file_entry",
    "find_bundles",
    "load_bundle",
    "read_bundle",
    "verify",
    "write_manifest",
]

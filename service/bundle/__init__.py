"""A model on disk: a folder whose manifest lists its files and their checksums.

``docs/bundle-format.md`` describes the format; ``training`` writes it. A bundle holds no code, only JSON, Markdown and
ONNX, and names no file outside of its folder.
"""

from service.bundle.external_data import check_external_data
from service.bundle.folder import (
    Bundle,
    VerifiedFiles,
    file_entry,
    find_bundles,
    load_bundle,
    read_bundle,
    verify,
    write_manifest,
)
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
    "Task",
    "VerifiedFiles",
    "check_external_data",
    "file_entry",
    "find_bundles",
    "load_bundle",
    "read_bundle",
    "verify",
    "write_manifest",
]

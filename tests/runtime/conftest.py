"""A graph that onnxruntime can run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import lexicon_graph


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """The tiny tagger's."""
    path = tmp_path / "model.onnx"
    path.write_bytes(lexicon_graph())
    return path

"""The one door to onnxruntime."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from service.errors import BundleError, DeviceError
from service.runtime.session import OnnxSession
from tests.fakes import NUM_CHARACTERS, FakeSession, lexicon_graph

INPUTS = {"ids": np.full((2, 3, 2 + NUM_CHARACTERS), 4, np.int32), "lengths": np.array([3, 1], np.int32)}


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(lexicon_graph())
    return path


def test_a_graph_answers_by_name_as_the_fake_does(graph: Path) -> None:
    expected = FakeSession().run(INPUTS)
    session = OnnxSession(graph)
    actual = session.run(INPUTS)
    assert list(actual) == session.output_names == ["upos", "xpos", "entity"]
    assert session.input_names == ["ids", "lengths"]
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name])


def test_several_threads_may_run_one_session(graph: Path) -> None:
    session = OnnxSession(graph)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: session.run(INPUTS)["upos"], range(50)))
    assert all(np.array_equal(answer, answers[0]) for answer in answers)


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        OnnxSession(path)


def test_a_device_that_is_not_there_is_named(graph: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(DeviceError, match="RIBBON_DEVICE=cuda"):
        OnnxSession(graph, device="cuda")

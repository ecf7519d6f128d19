"""The one door to onnxruntime."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest

from service.errors import BundleError, DeviceError
from service.runtime.session import CPU, CUDA, OnnxSession, find_obstacle, has_cuda
from tests.fakes import NUM_CHARACTERS, FakeSession
from tests.runtime.invented_cuda import InventedCuda

ROOT = Path(__file__).parents[2]
INPUTS = {"ids": np.full((2, 3, 2 + NUM_CHARACTERS), 4, np.int32), "lengths": np.array([3, 1], np.int32)}


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


def test_products_of_bytes_are_exact_on_any_processor(tmp_path: Path) -> None:
    tensors, kinds = onnx.helper.make_tensor_value_info, onnx.TensorProto
    weights = np.full((64, 8), 127, np.int8)
    scales = np.ones(8, np.float32)
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node(
                "MatMulIntegerToFloat", ["bytes", "weights", "one", "scales"], ["sums"], domain="com.microsoft"
            )
        ],
        "sums",
        [tensors("bytes", kinds.UINT8, ["batch", 64])],
        [tensors("sums", kinds.FLOAT, ["batch", 8])],
        [
            onnx.numpy_helper.from_array(weights, "weights"),
            onnx.numpy_helper.from_array(np.float32(1.0), "one"),
            onnx.numpy_helper.from_array(scales, "scales"),
        ],
    )
    path = tmp_path / "model.onnx"
    domains = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=domains, ir_version=8), path)
    sums = OnnxSession(path).run({"bytes": np.full((3, 64), 255, np.uint8)})["sums"]
    np.testing.assert_array_equal(sums, np.full((3, 8), 64 * 255 * 127, np.float32))


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        OnnxSession(path)


def test_opening_every_model_that_ships_starts_no_thread_so_that_a_process_may_fork_afterwards() -> None:
    program = """
import os, sys
from pathlib import Path
import numpy
before = os.listdir("/proc/self/task")
from service.runtime.session import open_session
sessions = [open_session(path, device="cpu") for path in Path(sys.argv[1]).glob("*/*.onnx")]
assert len(sessions) > 10, sessions
assert os.listdir("/proc/self/task") == before, (before, os.listdir("/proc/self/task"))
"""
    if not Path("/proc/self/task").exists():
        pytest.skip("threads are counted in /proc")
    command = [sys.executable, "-c", program, str(ROOT / "models")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr


def test_what_one_models_largest_run_took_serves_the_next_models_too() -> None:
    program = """
import sys
from pathlib import Path
import numpy as np
from service.runtime.session import OnnxSession

def resident():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmRSS:")]
    return int(line.split()[1])

sessions = [OnnxSession(Path(sys.argv[1]) / name / "model.onnx") for name in ("en-sentiment", "en-emotion")]
inputs = {"ids": np.ones((16, 256), np.int32), "lengths": np.full(16, 256, np.int32)}
growth = []
for session in sessions:
    before = resident()
    session.run(inputs)
    growth.append(resident() - before)
assert growth[0] > 20_000, growth
assert growth[1] < growth[0] / 3, growth
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is read in /proc")
    command = [sys.executable, "-c", program, str(ROOT / "models")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr


def test_what_runs_took_is_given_back_before_a_process_forks() -> None:
    program = """
import sys
from pathlib import Path
import numpy as np
from service.runtime.resources import release_free_memory
from service.runtime.session import OnnxSession, release_arena

def resident():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmRSS:")]
    return int(line.split()[1])

session = OnnxSession(Path(sys.argv[1]) / "en-sentiment" / "model.onnx")
inputs = {"ids": np.ones((16, 256), np.int32), "lengths": np.full(16, 256, np.int32)}
before = resident()
expected = session.run(inputs)["log_probabilities"]
growth = resident() - before
release_arena()
release_free_memory()
assert resident() - before < growth / 2, (growth, resident() - before)
assert np.array_equal(session.run(inputs)["log_probabilities"], expected)
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is read in /proc")
    command = [sys.executable, "-c", program, str(ROOT / "models")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr


def test_onnxruntime_is_told_to_report_to_nobody() -> None:
    assert os.environ["ORT_DISABLE_TELEMETRY"]


def test_this_very_onnxruntime_says_truthfully_whether_it_has_cuda() -> None:
    import onnxruntime

    obstacle = find_obstacle()
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        assert has_cuda()
    else:
        assert not has_cuda()
        assert obstacle is not None
        assert "onnxruntime-gpu" in obstacle.reason
        assert obstacle.log_level == logging.INFO


def test_a_graph_on_a_gpu_is_opened_on_cuda_first_with_its_options_and_runs_as_it_is(graph: Path) -> None:
    cuda = InventedCuda()
    answers = OnnxSession(graph, device="cuda", runtime=cuda).run(INPUTS)
    [[(first, options), second]] = cuda.providers
    assert (first, second) == (CUDA, CPU)
    assert options["arena_extend_strategy"] == "kSameAsRequested"
    assert int(options["gpu_mem_limit"]) > 0
    assert options["use_tf32"] == "0"
    expected = OnnxSession(graph).run(INPUTS)
    assert list(answers) == list(expected)
    assert all(np.array_equal(answers[name], expected[name]) for name in expected)


def test_a_file_that_is_no_graph_is_named_on_a_gpu_too(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        OnnxSession(tmp_path / "model.onnx", device="cuda", runtime=InventedCuda())


def test_a_graph_that_falls_back_to_the_cpu_unasked_is_no_good(graph: Path) -> None:
    with pytest.raises(DeviceError, match="could not start CUDA"):
        OnnxSession(graph, device="cuda", runtime=InventedCuda(works=False))


def test_where_cuda_multiplies_there_is_no_obstacle(capsys: pytest.CaptureFixture[str]) -> None:
    cuda = InventedCuda()
    assert find_obstacle(cuda) is None
    assert cuda.severities == [4, 2]  # its log was silent meanwhile
    assert capsys.readouterr().out == ""


def test_an_onnxruntime_without_cuda_is_no_surprise_and_starts_nothing() -> None:
    cuda = InventedCuda(is_built_in=False)
    obstacle = find_obstacle(cuda)
    assert obstacle is not None
    assert obstacle.log_level == logging.INFO
    assert cuda.providers == []


@pytest.mark.parametrize(
    ("cuda", "reason"),
    [
        (InventedCuda(works=False), "libonnxruntime_providers_cuda.so: cannot open shared object file"),
        (InventedCuda(raises=RuntimeError("CUDA failure 100:\n no CUDA-capable device")), "no CUDA-capable device"),
        (InventedCuda(raises=RuntimeError()), "RuntimeError"),
    ],
    ids=["library", "device", "mute"],
)
def test_a_build_for_cuda_that_does_not_start_is_one_with_its_reason_in_one_line(
    cuda: InventedCuda, reason: str
) -> None:
    obstacle = find_obstacle(cuda)
    assert obstacle is not None
    assert obstacle.log_level == logging.WARNING
    assert reason in obstacle.reason
    assert "\n" not in obstacle.reason
    assert cuda.severities == [4, 2]

"""CUDA sessions round shapes up and copy no more than they must, on invented devices."""

from __future__ import annotations

import gc
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from service.bundle import MANIFEST, read_bundle
from service.decoding.sentence_search import EncoderMemory
from service.errors import BundleError, DeviceError
from service.runtime.cuda import cut, next_power_of_two, next_time, padded, sizes_of
from service.runtime.session import CPU, CUDA, OnnxSession, find_obstacle, open_on_cuda
from tests.fakes import NUM_CHARACTERS
from tests.runtime.invented_cuda import InventedCuda

IDS, LENGTHS = ["batch", "time", 3], ["batch"]


@pytest.mark.parametrize(("size", "rounded"), [(0, 1), (1, 1), (2, 2), (3, 4), (5, 8), (64, 64), (65, 128)])
def test_rows_are_powers_of_two(size: int, rounded: int) -> None:
    assert next_power_of_two(size) == rounded


@pytest.mark.parametrize(
    ("size", "rounded"), [(1, 16), (16, 16), (17, 32), (128, 128), (129, 144), (257, 288), (1025, 1152), (2048, 2048)]
)
def test_times_are_multiples_of_sixteen_and_coarser_for_long_rows(size: int, rounded: int) -> None:
    assert next_time(size) == rounded


def test_no_row_grows_by_more_than_an_eighth_once_it_is_long_and_there_are_few_lengths() -> None:
    sizes = range(128, 4097)
    assert all(size <= next_time(size) <= 1.125 * size for size in sizes)
    assert len({next_time(size) for size in range(1, 4097)}) <= 48


def test_padding_is_zeros_and_a_row_of_padding_has_a_token() -> None:
    ids, lengths = np.ones((3, 5, 3), np.int32), np.array([5, 2, 1], np.int32)
    larger = padded("ids", ids, IDS)
    assert larger.shape == (4, 16, 3)
    assert larger.sum() == ids.sum()
    np.testing.assert_array_equal(larger[:3, :5], ids)
    np.testing.assert_array_equal(padded("lengths", lengths, LENGTHS), [5, 2, 1, 1])


def test_what_fits_already_is_not_copied() -> None:
    ids = np.ones((4, 16, 3), np.int32)
    assert padded("ids", ids, IDS) is ids


def test_what_is_not_contiguous_is_laid_out_anew() -> None:
    transposed = np.arange(4 * 16 * 3, dtype=np.int32).reshape(3, 16, 4).T
    assert padded("ids", transposed, IDS).flags.c_contiguous
    np.testing.assert_array_equal(padded("ids", transposed, IDS), transposed)


def test_axes_without_a_rule_stay_as_they_are() -> None:
    array = np.ones((3, 5), np.float32)
    assert padded("state", array, ["other", None]).shape == (3, 5)


def test_an_output_is_cut_by_the_names_of_its_axes() -> None:
    inputs = {"ids": np.zeros((3, 5, 3)), "lengths": np.zeros(3)}
    sizes = sizes_of(inputs, {"ids": IDS, "lengths": LENGTHS})
    assert sizes == {"batch": 3, "time": 5}
    output = np.arange(4 * 16 * 2).reshape(4, 16, 2)
    np.testing.assert_array_equal(cut(output, ["batch", "time", 2], sizes), output[:3, :5])
    assert cut(output, ["candidate", "time", None], sizes).shape == (4, 5, 2)


MODELS = Path(__file__).parents[2] / "models"
WIDTH, OUTPUT_SIZE = 640, 320  # of a translator's annotations and output layer
# Language models run on the CPU alone.
BUNDLES = [read_bundle(path.parent) for path in MODELS.glob(f"*/{MANIFEST}")]
GRAPHS = sorted(
    path for bundle in BUNDLES if bundle.manifest.task != "generate" for path in bundle.folder.glob("*.onnx")
)
Inputs = Mapping[str, np.ndarray]
SIZES = [(1, 1), (1, 16), (1, 37), (2, 16), (3, 5), (5, 33), (8, 20), (9, 140)]
INPUTS = {"ids": np.full((3, 5, 2 + NUM_CHARACTERS), 4, np.int32), "lengths": np.array([5, 3, 1], np.int32)}


def inputs_of(path: Path, *, rows: int, time: int) -> Inputs:
    """Something sensible for every input of a graph that ships."""
    axes = {value.name: value.shape for value in onnxruntime.InferenceSession(str(path)).get_inputs()}
    chance = np.random.default_rng(1000 * rows + time)
    sources = max(1, rows // 3)
    lengths = chance.integers(1, time + 1, sources if "tokens" in axes else rows, np.int32)
    lengths[0] = time
    made = {
        "num_candidates": np.array([8], np.int64),
        "tokens": chance.integers(0, 500, rows, np.int32),
        "sources": chance.integers(0, sources, rows, np.int32),
        "state": np.tanh(chance.standard_normal((rows, 512), np.float32)),
        "lengths": lengths,
        **memories_of(chance, sources=sources, time=time, listed=axes.get("shortlist", (0, 0))[1]),
    }
    if "ids" in axes:
        ids = chance.integers(1, 60, (rows, time, *axes["ids"][2:]), np.int32)
        ids[np.arange(time) >= lengths[:, None]] = 0
        made["ids"] = ids
    return {name: made[name] for name in axes}


def memories_of(chance: np.random.Generator, *, sources: int, time: int, listed: int) -> Inputs:
    """What a translator's encoder might say of sources, with so many subwords on the list of each."""
    return {
        "annotations": np.tanh(chance.standard_normal((sources, time, WIDTH), np.float32)),
        "shortlist": chance.integers(0, 500, (sources, listed), np.int32),
        "columns": chance.integers(-127, 128, (sources, listed * OUTPUT_SIZE), np.int8),
    }


def tolerance_of(path: Path) -> float:
    """fp32 may differ in its last bits where another size takes another kernel; int8 as its manifest says."""
    precision = "int8" if "int8" in path.name else "fp32"
    return read_bundle(path.parent).manifest.precisions[precision].max_drift if precision == "int8" else 2e-6


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_rounded_shapes_and_bound_inputs_change_no_answer_of_any_model_that_ships(path: Path) -> None:
    cuda = InventedCuda()
    plain, bound, atol = OnnxSession(path), open_on_cuda(path, runtime=cuda), tolerance_of(path)
    for rows, time in SIZES:
        inputs = inputs_of(path, rows=rows, time=time)
        expected, found = plain.run(inputs), bound.run(inputs)
        assert list(found) == list(expected)
        for name, values in expected.items():
            assert found[name].dtype == values.dtype
            rtol = atol if "int8" in path.name else 0  # of made-up ids unlikely labels drift most
            np.testing.assert_allclose(found[name], values, rtol=rtol, atol=atol, err_msg=f"{name} of {rows} x {time}")
    shapes = {shape for name, shape in cuda.account.bound if name in ("ids", "tokens")}
    assert len(shapes) < len(SIZES)


def test_a_graph_is_opened_on_cuda_first_with_its_options_and_every_output_comes_back(graph: Path) -> None:
    cuda = InventedCuda()
    open_on_cuda(graph, runtime=cuda).run(INPUTS)
    [[(first, options), second]] = cuda.account.providers
    assert (first, second) == (CUDA, CPU)
    assert options["arena_extend_strategy"] == "kSameAsRequested"
    assert int(options["gpu_mem_limit"]) > 0
    assert options["use_tf32"] == "0"
    assert cuda.account.bound == [("ids", (4, 16, 2 + NUM_CHARACTERS)), ("lengths", (4,))]
    assert cuda.account.outputs == [("upos", "cpu"), ("xpos", "cpu"), ("entity", "cpu")]


def test_what_is_read_only_goes_to_the_device_once_and_leaves_it_when_nobody_has_it_any_more(graph: Path) -> None:
    cuda = InventedCuda()
    session = open_on_cuda(graph, runtime=cuda)
    plain = OnnxSession(graph).run(INPUTS)["upos"]
    ids = INPUTS["ids"].copy()
    ids.flags.writeable = False
    for _ in range(3):
        np.testing.assert_array_equal(session.run({**INPUTS, "ids": ids})["upos"], plain)
    assert cuda.account.uploads == [((4, 16, 2 + NUM_CHARACTERS), "cuda")]
    assert cuda.account.kept == ["ids"] * 3
    assert session.num_kept == 1
    del ids
    gc.collect()
    assert session.num_kept == 0


def test_memories_of_sources_stay_on_the_device_until_one_joins_or_leaves() -> None:
    path = MODELS / "en-es" / "model.int8.onnx"
    cuda = InventedCuda()
    session, plain, slab = open_on_cuda(path, runtime=cuda), OnnxSession(path), EncoderMemory(16)
    inputs = inputs_of(path, rows=2, time=16)

    def step() -> None:
        now = {**inputs, "lengths": slab.lengths, **slab.memories}
        np.testing.assert_allclose(session.run(now)["scores"], plain.run(now)["scores"], atol=tolerance_of(path))

    def join() -> None:
        chance = np.random.default_rng(slab.num_slots)
        slab.append(np.array([9], np.int32), memories_of(chance, sources=1, time=9, listed=1024))

    join()
    for change in (lambda: None, lambda: None, join, lambda: None, lambda: slab.remove(0), lambda: None):
        change()
        step()
    shapes = [shape for shape, _ in cuda.account.uploads]
    assert [shape for shape in shapes if shape[-1] == WIDTH] == [(count, 16, WIDTH) for count in (1, 2, 1)]
    assert len(shapes) == 3 * session.num_kept == 9


def test_several_threads_may_run_one_session(graph: Path) -> None:
    session = open_on_cuda(graph, runtime=InventedCuda())
    expected = session.run(INPUTS)["entity"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: session.run(INPUTS)["entity"], range(50)))
    assert all(np.array_equal(answer, expected) for answer in answers)


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        open_on_cuda(tmp_path / "model.onnx", runtime=InventedCuda())


def test_a_graph_that_falls_back_to_the_cpu_unasked_is_no_good(graph: Path) -> None:
    with pytest.raises(DeviceError, match="could not start CUDA"):
        open_on_cuda(graph, runtime=InventedCuda(works=False))


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
    assert cuda.account.providers == []


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

from __future__ import annotations

import logging
from functools import partial
from itertools import product

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import numpy as np

from service.runtime.session import OnnxSession
from tests.training.tiny_tagger import HEADS, NUM_CHARACTERS, SIZES, tagger
from training.export import (
    SHAPES,
    TOLERANCE,
    WEIGHTS,
    ExportError,
    check_graph,
    drift,
    quantize,
    round_weights,
    save_graph,
    share_weights,
    write_graphs,
)
from training.networks.layers import CELLS
from training.tagger.export import QUANTIZED, answer_of, build_graph, check_batches, random_batch

KINDS = [
    pytest.param(
        dict(cell=cell, bidirectional=both, num_layers=layers, projection_size=size),
        id=f"{cell}-{'both' if both else 'forward'}-{layers}-{size}",
    )
    for cell, both, layers, size in product(CELLS, (True, False), (1, 2), (0, 5))
]


def rounded(**choices):
    network = tagger(**choices).eval()
    round_weights(network)
    return network


def graph_of(network, *, half=False):
    return build_graph(network, num_characters=NUM_CHARACTERS, half=half)


def check(network, path):
    return check_graph(partial(answer_of, network), path, check_batches(SIZES, NUM_CHARACTERS))


def test_the_shapes_checked_are_the_awkward_ones_too():
    assert {(1, 1), (1, 2), (2, 1)} <= set(SHAPES)
    assert max(batch for batch, _ in SHAPES) > 16
    assert max(time for _, time in SHAPES) > 100


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_is_exported_right(tmp_path, kind):
    network = rounded(**kind)
    save_graph(graph_of(network), tmp_path / "model.onnx")
    assert check(network, tmp_path / "model.onnx") < TOLERANCE


def test_inputs_and_outputs_are_named_and_of_any_batch_and_length():
    graph = graph_of(rounded()).graph

    def axes(value):
        return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]

    assert {v.name: axes(v) for v in graph.input} == {"ids": ["batch", "time", 8], "lengths": ["batch"]}
    assert {v.name: axes(v) for v in graph.output} == {name: ["batch", "time", n] for name, n in HEADS.items()}


def test_entities_come_as_log_probabilities(tmp_path):
    save_graph(graph_of(rounded()), tmp_path / "model.onnx")
    batch = random_batch((3, 4), SIZES, NUM_CHARACTERS, seed=0)
    entity = OnnxSession(tmp_path / "model.onnx").run({"ids": batch.ids, "lengths": batch.lengths})["entity"]
    assert np.allclose(np.exp(entity).sum(axis=2), 1, atol=1e-5)


def forget_lengths(model):
    for node in model.graph.node:
        if node.op_type == "LSTM":
            node.input[4] = ""


def swap_suffix_and_word(model):
    first, second = (n for n in model.graph.node if n.op_type == "Squeeze")
    first.input[0], second.input[0] = second.input[0], first.input[0]


def nudge_a_weight(model):
    is_bias = {"data_type": onnx.TensorProto.FLOAT, "dims": [HEADS["upos"]]}
    weight = next(w for w in model.graph.initializer if {"data_type": w.data_type, "dims": w.dims[:]} == is_bias)
    values = onnx.numpy_helper.to_array(weight) + np.float32(10 * TOLERANCE)
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))


@pytest.mark.parametrize("damage", [forget_lengths, swap_suffix_and_word, nudge_a_weight], ids=lambda f: f.__name__)
def test_a_graph_that_does_something_else_is_refused(tmp_path, damage):
    network = rounded(bidirectional=True)
    model = graph_of(network)
    damage(model)
    save_graph(model, tmp_path / "model.onnx")
    with pytest.raises(ExportError, match=r"model.onnx: torch and onnxruntime differ"):
        check(network, tmp_path / "model.onnx")


def test_weights_that_were_not_rounded_are_not_what_would_ship(tmp_path):
    network = tagger().eval()
    save_graph(graph_of(network, half=True), tmp_path / "model.onnx")
    with pytest.raises(ExportError):
        check(network, tmp_path / "model.onnx")


def test_after_rounding_float16_storage_loses_nothing(tmp_path):
    network = rounded(num_layers=2)
    answers = []
    for half in (False, True):
        path = tmp_path / f"{half}.onnx"
        save_graph(graph_of(network, half=half), path)
        batch = random_batch((4, 9), SIZES, NUM_CHARACTERS, seed=1)
        answers.append(OnnxSession(path).run({"ids": batch.ids, "lengths": batch.lengths}))
    for name in HEADS:
        assert np.array_equal(answers[0][name], answers[1][name])
    assert (tmp_path / "True.onnx").stat().st_size < 0.7 * (tmp_path / "False.onnx").stat().st_size


def test_weights_are_rounded_to_what_float16_holds():
    for parameter in rounded().parameters():
        assert torch.equal(parameter, parameter.half().float())


@pytest.mark.parametrize("cell", CELLS)
def test_an_int8_graph_runs_and_drifts_little(tmp_path, cell):
    network = rounded(cell=cell)
    save_graph(graph_of(network), tmp_path / "model.onnx")
    quantize(tmp_path / "model.onnx", tmp_path / "model.int8.onnx", QUANTIZED)
    batches = check_batches(SIZES, NUM_CHARACTERS)[:5]
    difference = drift(partial(answer_of, network), OnnxSession(tmp_path / "model.int8.onnx"), batches)
    assert 0 < difference < 0.2


class NotANumber:
    def run(self, inputs):
        batch, time, _ = inputs["ids"].shape
        return {name: np.full((batch, time, size), np.nan, np.float32) for name, size in HEADS.items()}


def test_what_is_not_a_number_is_no_small_difference():
    assert np.isnan(drift(partial(answer_of, rounded()), NotANumber(), check_batches(SIZES, NUM_CHARACTERS)))


def constants_graph(*arrays):
    """A graph that gives its constants."""
    tensors = [onnx.numpy_helper.from_array(array, f"constant_{i}") for i, array in enumerate(arrays)]
    nodes = [onnx.helper.make_node("Identity", [t.name], [f"output_{i}"]) for i, t in enumerate(tensors)]
    outputs = [onnx.helper.make_tensor_value_info(f"output_{i}", t.data_type, t.dims) for i, t in enumerate(tensors)]
    graph = onnx.helper.make_graph(nodes, "constants", [], outputs, tensors)
    opsets = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)


def test_what_graphs_hold_alike_is_stored_once(tmp_path):
    table, bias, own = np.arange(3000, dtype=np.int8), np.ones(2, np.float32), np.zeros(500, np.float32)
    paths = [tmp_path / "one.onnx", tmp_path / "other.onnx"]
    arrays = [(table, bias, own), (table, own + 1, table)]
    for path, constants in zip(paths, arrays, strict=True):
        save_graph(constants_graph(*constants), path)
    share_weights(paths)
    assert (tmp_path / WEIGHTS).read_bytes() == table.tobytes()
    assert all(table.tobytes() not in path.read_bytes() for path in paths)
    for path, constants in zip(paths, arrays, strict=True):
        outputs = OnnxSession(path).run({})
        for i, expected in enumerate(constants):
            assert np.array_equal(outputs[f"output_{i}"], expected)


def test_where_nothing_is_alike_there_is_no_file_of_weights(tmp_path):
    paths = [tmp_path / "one.onnx", tmp_path / "other.onnx"]
    for value, path in enumerate(paths):
        save_graph(constants_graph(np.full(1000, value, np.float32)), path)
    share_weights(paths)
    assert {path.name for path in tmp_path.iterdir()} == {"one.onnx", "other.onnx"}


def test_a_network_that_its_graph_does_not_follow_writes_nothing(tmp_path):
    network, other = rounded(), rounded(seed=2)
    with pytest.raises(ExportError):
        write_graphs(
            tmp_path / "bundle",
            build=lambda half: graph_of(network, half=half),
            check=partial(check, other),
            operators=QUANTIZED,
        )
    assert not (tmp_path / "bundle").exists()


def test_graphs_leave_no_weights_of_an_older_bundle(tmp_path):
    network = rounded()
    (tmp_path / WEIGHTS).write_bytes(b"old")
    write_graphs(
        tmp_path, build=lambda half: graph_of(network, half=half), check=partial(check, network), operators=QUANTIZED
    )
    assert not (tmp_path / WEIGHTS).exists()  # the tables of so small a network are not worth sharing
    assert check(network, tmp_path / "model.onnx") < TOLERANCE


def test_quantizing_leaves_the_logs_of_others_alone(tmp_path, caplog):
    save_graph(graph_of(rounded()), tmp_path / "model.onnx")
    quantize(tmp_path / "model.onnx", tmp_path / "model.int8.onnx", QUANTIZED)
    assert caplog.records == []
    logging.getLogger("somebody").warning("heard")
    assert [record.message for record in caplog.records] == ["heard"]


def test_random_batches_hold_every_kind_of_id_and_a_full_row():
    batch = random_batch((50, 20), SIZES, NUM_CHARACTERS, seed=3)
    assert batch.lengths.max() == 20
    assert set(batch.ids[:, :, 0].ravel()) == set(range(SIZES["words"]))
    assert not batch.ids[np.arange(20) >= batch.lengths[:, None]].any()

from __future__ import annotations

from functools import partial
from itertools import product

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.runtime.session import OnnxSession
from service.text.pipeline import pad
from training.classifier.export import (
    EXACT_CELLS,
    EXACT_POOLINGS,
    LONG_SHAPES,
    OUTPUT,
    POOLINGS,
    QUANTIZED,
    answer_of,
    build_graph,
    check_batches,
    is_exact,
    make_final,
    random_batch,
)
from training.export import GRAPHS, TOLERANCE, WEIGHTS, ExportError, check_graph, drift, save_graph, write_graphs
from training.networks import classifier as networks
from training.networks.classifier import Classifier, ClassifierConfig
from training.networks.layers import CELLS
from training.onnx_graph import quantize_rows

NUM_WORDS, NUM_LABELS = 30, 3
KINDS = [
    pytest.param(
        dict(cell=cell, bidirectional=both, num_layers=layers, pooling=pooling),
        id=f"{cell}-{'both' if both else 'forward'}-{layers}-{pooling}",
    )
    for cell, both, layers, pooling in product(CELLS, (True, False), (1, 2), POOLINGS)
]


def classifier(*, seed: int = 1, multi_label: bool = False, **choices) -> Classifier:
    """With weights large enough that a difference shows."""
    torch.manual_seed(seed)
    config = ClassifierConfig(**{"word_size": 48, "hidden_size": 10, **choices})
    network = Classifier(num_words=NUM_WORDS, num_labels=NUM_LABELS, config=config, multi_label=multi_label).eval()
    with torch.no_grad():
        network.words.weight *= 10
        network.head.weight *= 5
    return network


def final(*, temperature: float = 1.5, **choices) -> Classifier:
    network = classifier(**choices)
    make_final(network, temperature)
    return network


def check(network, path):
    return check_graph(partial(answer_of, network), path, check_batches(NUM_WORDS))


def write(network, folder):
    write_graphs(
        folder,
        build=lambda half: build_graph(network, half=half),
        check=partial(check, network),
        operators=QUANTIZED,
    )
    return folder


def run(session, batch):
    return session.run({"ids": batch.ids, "lengths": batch.lengths})[OUTPUT]


def test_reviews_are_among_the_shapes_checked():
    assert max(time for _, time in LONG_SHAPES) >= 1500
    assert max(batch for batch, _ in LONG_SHAPES) > 1


def test_every_pooling_of_the_network_can_be_exported():
    assert set(POOLINGS) == set(networks.POOLINGS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_is_exported_right(tmp_path, kind):
    network = final(**kind)
    save_graph(build_graph(network, half=True), tmp_path / "model.onnx")
    assert check(network, tmp_path / "model.onnx") < TOLERANCE


def test_of_a_multi_label_network_each_label_has_a_probability_of_its_own(tmp_path):
    network = final(multi_label=True)
    with torch.no_grad():
        network.head.bias[:2] = torch.tensor([90.0, -90.0])
    save_graph(build_graph(network, half=True), tmp_path / "model.onnx")
    assert check(network, tmp_path / "model.onnx") < TOLERANCE
    found = np.exp(run(OnnxSession(tmp_path / "model.onnx"), random_batch((4, 9), NUM_WORDS, seed=0)))
    assert (found[:, 0] > 0.99).all()
    assert (found[:, 1] < 0.01).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_both_precisions_of_a_multi_label_network_give_like_probabilities(tmp_path):
    write(final(multi_label=True), tmp_path)
    fp32, int8 = (run(OnnxSession(tmp_path / file), check_batches(NUM_WORDS)[5]) for file in GRAPHS.values())
    assert np.abs(np.exp(fp32) - np.exp(int8)).max() < 0.1


def test_inputs_and_output_are_named_and_of_any_batch_and_length():
    graph = build_graph(final(), half=True).graph

    def axes(value):
        return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]

    assert {v.name: axes(v) for v in graph.input} == {"ids": ["batch", "time"], "lengths": ["batch"]}
    assert {v.name: axes(v) for v in graph.output} == {OUTPUT: ["batch", NUM_LABELS]}


def test_the_temperature_is_inside_the_graph(tmp_path):
    plain = classifier()
    batch = random_batch((4, 9), NUM_WORDS, seed=0)
    with torch.inference_mode():
        logits = plain(torch.from_numpy(batch.ids), torch.from_numpy(batch.lengths.astype(np.int64)))
    save_graph(build_graph(final(temperature=2.5), half=True), tmp_path / "model.onnx")
    found = run(OnnxSession(tmp_path / "model.onnx"), batch)
    assert np.allclose(np.exp(found).sum(axis=1), 1, atol=1e-5)
    assert np.allclose(found, (logits / 2.5).log_softmax(-1).numpy(), atol=0.05)  # but for the rounding


@pytest.mark.parametrize(
    ("cell", "pooling", "multi_label"),
    [*product(EXACT_CELLS, EXACT_POOLINGS, [False]), (EXACT_CELLS[0], EXACT_POOLINGS[0], True)],
)
def test_padding_and_neighbours_change_no_bit(tmp_path, cell, pooling, multi_label):
    network = final(cell=cell, pooling=pooling, multi_label=multi_label)
    assert is_exact(network.config)
    save_graph(build_graph(network, half=True), tmp_path / "model.onnx")
    session = OnnxSession(tmp_path / "model.onnx")

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.lists(st.integers(0, NUM_WORDS - 1), min_size=1, max_size=40), min_size=1, max_size=9))
    def answers_alike(texts):
        rows = [np.array(text, np.int32) for text in texts]
        alone = np.concatenate([run(session, pad([row])) for row in rows])
        assert np.array_equal(run(session, pad(rows)), alone)

    answers_alike()


@pytest.mark.parametrize("choices", [dict(pooling="mean"), dict(pooling="attention"), dict(cell="rnn")])
def test_elsewhere_neighbours_move_the_last_digits_at_most(tmp_path, choices):
    network = final(**choices)
    assert not is_exact(network.config)
    save_graph(build_graph(network, half=True), tmp_path / "model.onnx")
    session = OnnxSession(tmp_path / "model.onnx")
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, NUM_WORDS, length).astype(np.int32) for length in (1, 3, 40, 200)]
    alone = np.concatenate([run(session, pad([row])) for row in rows])
    assert np.abs(run(session, pad(rows)) - alone).max() < 1e-5


def forget_lengths(model):
    for node in model.graph.node:
        if node.op_type == "LSTM":
            node.input[4] = ""


def forget_padding(model):
    node = next(node for node in model.graph.node if node.op_type == "ReduceMax")
    where = next(n for n in model.graph.node if n.output[0] == node.input[0])
    node.input[0] = where.input[1]


def nudge_the_head(model):
    is_bias = {"data_type": onnx.TensorProto.FLOAT, "dims": [NUM_LABELS]}
    weight = next(w for w in model.graph.initializer if {"data_type": w.data_type, "dims": w.dims[:]} == is_bias)
    values = onnx.numpy_helper.to_array(weight) + np.float32([0, 0, 100 * TOLERANCE])
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))


@pytest.mark.parametrize("damage", [forget_lengths, forget_padding, nudge_the_head], ids=lambda f: f.__name__)
def test_a_graph_that_does_something_else_is_refused(tmp_path, damage):
    network = final()
    with torch.no_grad():
        for direction in (*network.encoder.forwards, *network.encoder.backwards):
            direction.bias_ih_l0[20:30] = -4  # states below zero, which padding would outdo
    make_final(network, 1.0)
    model = build_graph(network, half=False)
    save_graph(model, tmp_path / "model.onnx")
    assert check(network, tmp_path / "model.onnx") < TOLERANCE
    damage(model)
    save_graph(model, tmp_path / "model.onnx")
    with pytest.raises(ExportError, match=r"model.onnx: torch and onnxruntime differ"):
        check(network, tmp_path / "model.onnx")


def test_weights_that_were_not_rounded_are_not_what_would_ship(tmp_path):
    network = classifier()
    save_graph(build_graph(network, half=True), tmp_path / "model.onnx")
    with pytest.raises(ExportError):
        check(network, tmp_path / "model.onnx")


def test_what_is_final_stays_as_it_is():
    network = final()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    make_final(network, 1.0)
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name])


def test_both_precisions_read_one_file_of_weights(tmp_path):
    network = final()
    write(network, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*GRAPHS.values(), WEIGHTS}
    values, _ = quantize_rows(network.words.weight.detach())
    table = values.numpy().tobytes()
    assert table in (tmp_path / WEIGHTS).read_bytes()
    for file in GRAPHS.values():
        assert table not in (tmp_path / file).read_bytes()
        session = OnnxSession(tmp_path / file)
        assert drift(partial(answer_of, network), session, check_batches(NUM_WORDS)) < 0.2


def test_a_cell_that_has_no_int8_shares_its_weights(tmp_path):
    write(final(cell="gru"), tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes[WEIGHTS] > max(sizes[file] for file in GRAPHS.values())
    answers = [run(OnnxSession(tmp_path / file), check_batches(NUM_WORDS)[5]) for file in GRAPHS.values()]
    assert np.array_equal(*answers)


def test_rows_are_rounded_to_a_byte_by_their_own_scale():
    table = torch.tensor([[0.0, 0.0], [1e-4, -5e-5], [100.0, 0.4]])
    values, scales = quantize_rows(table)
    assert values.dtype == torch.int8
    assert values[0].tolist() == [0, 0]
    assert values[1].tolist() in ([127, -63], [127, -64])
    assert values[2].tolist() == [127, 1]
    assert scales.shape == (3, 1)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-6, 1e6))
def test_rounding_twice_is_rounding_once(seed, spread):
    table = torch.randn(20, 7, generator=torch.Generator().manual_seed(seed)) * spread
    values, scales = quantize_rows(table)
    rounded = values * scales
    assert (rounded - table).abs().max() <= 0.51 * scales.max() + 1e-30
    again, same = quantize_rows(rounded)
    assert torch.equal(again, values)
    assert torch.equal(same, scales)

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.decoding.beam_search import search_all
from service.decoding.search import EncoderOutputs as Encoded
from service.decoding.search import Search, StepInputs, StepOutputs
from service.predictors.graphs import TranslationGraphs
from service.runtime.session import OnnxSession
from service.text.pipeline import Batch, pad
from service.text.subwords import BOS_ID, EOS_ID
from tests.training.tiny_translator import VOCABULARY, translator
from training.export import GRAPHS, SHAPES, TOLERANCE, WEIGHTS, ExportError, round_weights, save_graph, torch_inputs
from training.matmul_variants import FloatProducts
from training.networks.attention import ATTENTIONS
from training.networks.translator import Memory
from training.onnx_graph import quantize_rows
from training.translator.export import (
    ENCODERS,
    PRODUCTS,
    TranslatorSessions,
    check_translator,
    random_batch,
    run_step,
    walk,
    write_translator,
)
from training.translator.graphs import ANNOTATIONS, STATE, encoder_graph, step_inputs, step_outputs

KINDS = [dict(attention=kind, num_layers=layers) for kind in ATTENTIONS for layers in (1, 2)]
PRECISIONS = tuple(GRAPHS)


def name(kind) -> str:
    return f"{kind['attention']}-{kind['num_layers']}"


def final(**choices):
    network = translator(**choices)
    round_weights(network)
    return network


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    write_translator(final(), folder)
    return folder


@pytest.fixture(scope="module", params=KINDS, ids=name)
def every_kind(tmp_path_factory, request):
    """A network of each kind and its graphs."""
    network, folder = final(**request.param), tmp_path_factory.mktemp("kind")
    return network, folder, write_translator(network, folder)


@pytest.fixture(params=PRECISIONS)
def sessions(exported, request) -> TranslatorSessions:
    return TranslatorSessions.open(exported, request.param)


def test_every_kind_of_network_is_exported_right(every_kind):
    assert every_kind[2] < TOLERANCE


def test_one_token_of_one_source_is_among_the_shapes_checked():
    assert (1, 1) in SHAPES
    assert max(batch for batch, _ in SHAPES) > 16


def test_in_int8_a_walk_stays_near(exported):
    sessions = TranslatorSessions.open(exported, "int8")
    network = final()
    for shape in ((1, 1), (9, 20)):
        assert max(walk(network, sessions, random_batch(shape, VOCABULARY, 0))) < 0.5


def test_weights_that_were_not_rounded_are_not_what_would_ship(tmp_path):
    with pytest.raises(ExportError, match="torch and onnxruntime differ"):
        write_translator(translator(), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def forget_lengths(graph):
    for node in graph.node:
        if node.op_type == "GRU":
            node.input[4] = ""


def swap_gates(graph):
    for weight in graph.initializer:
        if weight.dims[:2] == [2, 36]:  # both directions, three gates of twelve
            values = onnx.numpy_helper.to_array(weight)
            swapped = np.concatenate([values[:, 12:24], values[:, :12], values[:, 24:]], axis=1)
            weight.CopyFrom(onnx.numpy_helper.from_array(swapped, weight.name))


def reset_before(graph):
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "linear_before_reset":
                attribute.i = 0


@pytest.mark.parametrize("damage", [forget_lengths, swap_gates, reset_before], ids=lambda f: f.__name__)
def test_an_encoder_that_does_something_else_is_refused(tmp_path, exported, damage):
    network = final()
    model = encoder_graph(network, FloatProducts)
    save_graph(model, tmp_path / "encoder.onnx")
    step = OnnxSession(exported / GRAPHS["fp32"])
    check_translator(network, TranslatorSessions(encoder=OnnxSession(tmp_path / "encoder.onnx"), step=step))
    damage(model.graph)
    save_graph(model, tmp_path / "encoder.onnx")
    with pytest.raises(ExportError, match="differ by"):
        check_translator(network, TranslatorSessions(encoder=OnnxSession(tmp_path / "encoder.onnx"), step=step))


def test_inputs_and_outputs_are_named_as_told(exported):
    for precision in PRECISIONS:
        session = OnnxSession(exported / GRAPHS[precision])
        assert session.input_names == [value.name for value in step_inputs(final(), PRODUCTS[precision])]
        assert session.output_names == [value.name for value in step_outputs(final())]
        encoder = OnnxSession(exported / ENCODERS[precision])
        assert (encoder.input_names, encoder.output_names) == (["ids", "lengths"], [STATE, ANNOTATIONS])


def test_the_table_is_stored_once_for_encoder_and_output_layer(tmp_path):
    network = translator(vocabulary=100)
    round_weights(network)
    write_translator(network, tmp_path)
    weight = network.embedding.weight.detach()
    for table in (weight.numpy().astype(np.float16).tobytes(), quantize_rows(weight)[0].numpy().tobytes()):
        assert (tmp_path / WEIGHTS).read_bytes().count(table) == 1
        assert all(table not in (tmp_path / file).read_bytes() for file in (*ENCODERS.values(), *GRAPHS.values()))


def test_one_precision_alone_answers_as_it_does_beside_the_other(tmp_path, exported):
    write_translator(final(), tmp_path, ["int8"])
    assert not (tmp_path / GRAPHS["fp32"]).exists()
    batch = random_batch((3, 7), VOCABULARY, 0)
    alone, beside = (TranslatorSessions.open(folder, "int8").encoder for folder in (tmp_path, exported))
    for name, values in alone.run({"ids": batch.ids, "lengths": batch.lengths}).items():
        np.testing.assert_array_equal(values, beside.run({"ids": batch.ids, "lengths": batch.lengths})[name])


def encode(sessions, batch):
    return sessions.encoder.run({"ids": batch.ids, "lengths": batch.lengths})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=40), min_size=1, max_size=9))
def test_sources_are_encoded_alike_alone_and_in_any_batch(exported, sources):
    sessions = TranslatorSessions.open(exported, "fp32")
    rows = [np.array(source, np.int32) for source in sources]
    together = encode(sessions, pad(rows))
    for place, row in enumerate(rows):
        alone = encode(sessions, pad([row]))
        assert np.array_equal(together[STATE][place], alone[STATE][0])
        assert np.array_equal(together[ANNOTATIONS][place, : len(row)], alone[ANNOTATIONS][0])


def some_rows(count: int, batch: Batch, seed: int):
    rng = np.random.default_rng(seed)
    return dict(
        tokens=rng.integers(1, VOCABULARY, count).astype(np.int32),
        state=np.tanh(rng.normal(size=(count, 20))).astype(np.float32),
        sources=rng.integers(0, len(batch.ids), count).astype(np.int32),
    )


def test_a_row_hangs_on_nothing_but_itself_to_the_last_bit(every_kind):
    """In either precision: any number of rows, any neighbours, in any order."""
    batch = random_batch((7, 16), VOCABULARY, 3)
    for precision in PRECISIONS:
        sessions = TranslatorSessions.open(every_kind[1], precision)
        encoded = encode(sessions, batch)
        rows = some_rows(70, batch, 0)
        whole = run_step(sessions.step, encoded, batch.lengths, **rows)
        for count in (*range(1, 18), 31, 33, 64):
            chosen = np.random.default_rng(count).permutation(70)[:count]
            part = {name: values[chosen] for name, values in rows.items()}
            found = run_step(sessions.step, encoded, batch.lengths, **part)
            for output, values in found.items():
                assert np.array_equal(values, whole[output][chosen]), (precision, count, output)


def test_other_sources_and_what_lies_behind_a_source_change_nothing(sessions):
    batch = random_batch((5, 16), VOCABULARY, 4)
    encoded = encode(sessions, batch)
    rows = {**some_rows(6, batch, 1), "sources": np.full(6, 2, np.int32)}
    together = run_step(sessions.step, encoded, batch.lengths, **rows)
    memory = encoded[ANNOTATIONS][2:3].copy()
    memory[:, batch.lengths[2] :] = 0.9  # what an earlier source may have left there
    alone = run_step(
        sessions.step, {ANNOTATIONS: memory}, batch.lengths[2:3], **{**rows, "sources": np.zeros(6, np.int32)}
    )
    for output, values in alone.items():
        assert np.array_equal(values, together[output]), output


def test_attention_sums_to_one_over_the_source_and_is_zero_behind_it(sessions):
    batch = random_batch((9, 20), VOCABULARY, 5)
    rows = some_rows(30, batch, 2)
    weights = run_step(sessions.step, encode(sessions, batch), batch.lengths, **rows)["attention"]
    behind = np.arange(20) >= batch.lengths[rows["sources"]][:, None]
    assert (weights[behind] == 0).all()
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("count", [1, 3, VOCABULARY])
def test_as_many_candidates_as_are_asked_for_best_first(sessions, count):
    batch = random_batch((2, 5), VOCABULARY, 6)
    rows = some_rows(4, batch, 3)
    found = run_step(sessions.step, encode(sessions, batch), batch.lengths, **rows, num_candidates=count)
    assert found["scores"].shape == found["candidates"].shape == (4, count)
    assert (np.diff(found["scores"], axis=1) <= 0).all()
    if count == VOCABULARY:
        assert np.exp(found["scores"]).sum(axis=1) == pytest.approx(1, abs=1e-4)
        assert (np.sort(found["candidates"], axis=1) == np.arange(VOCABULARY)).all()


class Pieces:
    """Subwords that spell their numbers."""

    def __len__(self) -> int:
        return VOCABULARY

    def decode(self, ids) -> str:
        return " ".join(map(str, ids))


class TorchModel:
    """The network itself, for the engine that decodes."""

    bos_id, eos_id = BOS_ID, EOS_ID

    def __init__(self, network) -> None:
        self.network = network

    def surface(self, ids) -> str:
        return Pieces().decode(ids)

    @torch.inference_mode()
    def encode(self, batch: Batch) -> Encoded:
        memory, state = self.network.encode(*torch_inputs(batch))
        return Encoded(state=state.numpy(), memories={ANNOTATIONS: memory.annotations.numpy()})

    @torch.inference_mode()
    def step(self, inputs: StepInputs) -> StepOutputs:
        sources = inputs.sources
        annotations = torch.from_numpy(inputs.memories[ANNOTATIONS][sources])
        mask = torch.arange(annotations.shape[1]) < torch.from_numpy(inputs.lengths[sources])[:, None]
        memory = Memory(annotations=annotations, keys=self.network.attention.keys(annotations), mask=mask)
        tokens, state = torch.from_numpy(inputs.tokens.astype(np.int64)), torch.from_numpy(inputs.state.copy())
        step, log_probabilities = self.network.step(tokens, state, memory)
        best, candidates = log_probabilities.topk(min(inputs.num_candidates, VOCABULARY), dim=-1)
        return StepOutputs(
            state=step.state.numpy(),
            scores=best.numpy(),
            candidates=candidates.numpy().astype(np.int32),
            attention=step.weights.numpy(),
        )


@pytest.mark.parametrize("beam_size", [1, 4])
def test_whole_searches_come_out_as_with_torch(every_kind, beam_size):
    network, folder, _ = every_kind
    sessions = TranslatorSessions.open(folder, "fp32")
    graphs = TranslationGraphs(encoder=sessions.encoder, step=sessions.step, subwords=Pieces())
    searches = []
    for shape in ((1, 1), (6, 9), (12, 4), (2, 20)):
        batch = random_batch(shape, VOCABULARY, 0)
        searches += [
            Search(
                ids=row[:length],
                beam_size=beam_size,
                num_hypotheses=beam_size,
                max_tokens=2 * int(length) + 10,
            )
            for row, length in zip(batch.ids, batch.lengths, strict=True)
        ]
    for found, expected in zip(search_all(graphs, searches), search_all(TorchModel(network), searches), strict=True):
        assert [each.ids for each in found] == [each.ids for each in expected]
        for one, other in zip(found, expected, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert np.allclose(one.attention, other.attention, atol=1e-4)

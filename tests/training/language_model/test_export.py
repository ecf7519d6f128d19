"""What a language model's graphs give is what its network gives, to the last bit whatever the way there."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from service.text.pipeline import Batch
from training.export import ExportError
from training.language_model.export import (
    LanguageModelSessions,
    check_language_model,
    make_final,
    random_batch,
    read,
    run_step,
    walk,
    write_language_model,
)
from training.language_model.graphs import NEXT_STATE, state_size
from training.networks.language_model import LanguageModel, LanguageModelConfig

CPU_INFO = Path("/proc/cpuinfo")
# Without VNNI onnxruntime's products inside a loop overflow 16 bits: docs/adr/0007-int8-with-fixed-scales.md.
only_where_exact = pytest.mark.skipif(
    platform.machine() == "x86_64" and CPU_INFO.exists() and "vnni" not in CPU_INFO.read_text("utf-8"),
    reason="without VNNI products of bytes inside a loop are not exact",
)
NUM_UNITS = 60
KINDS = [("lstm", 2), ("gru", 2), ("rnn", 1)]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind[0])
def made(request, tmp_path_factory):
    cell, num_layers = request.param
    torch.manual_seed(0)
    config = LanguageModelConfig(cell=cell, embedding_size=12, hidden_size=16, num_layers=num_layers)
    network = LanguageModel(vocabulary_size=NUM_UNITS, config=config).eval()
    make_final(network)
    folder = tmp_path_factory.mktemp(cell)
    write_language_model(network, folder)
    return network, folder


def states(network, rows: int):
    return np.random.default_rng(1).uniform(-1, 1, (rows, state_size(network))).astype(np.float32)


@pytest.mark.parametrize("precision", ["fp32", pytest.param("int8", marks=only_where_exact)])
def test_a_row_does_not_hang_on_its_neighbours_nor_on_how_it_is_cut(made, precision):
    network, folder = made
    sessions = LanguageModelSessions.open(folder, precision)
    batch, first = random_batch((5, 9), NUM_UNITS, 3), states(network, 5)
    real = np.arange(9) < batch.lengths[:, None]
    together = read(
        sessions.reader, batch, first, positions=np.flatnonzero(real), targets=np.roll(batch.ids, -1, axis=1)[real]
    )
    rows = np.nonzero(real)[0]
    for row, length in enumerate(batch.lengths):
        ids, state, scores = batch.ids[row : row + 1, :length], first[row : row + 1], []
        for place in range(length):
            step = run_step(sessions.step, ids[:, place], state)
            scores.append(step["log_probabilities"][0, batch.ids[row, (place + 1) % 9]])
            state = step[NEXT_STATE]
        np.testing.assert_array_equal(state[0], together[NEXT_STATE][row])
        np.testing.assert_array_equal(scores, together["log_probabilities"][rows == row])
        cut, nothing = max(1, int(length) // 2), np.zeros(0, np.int32)
        state = first[row : row + 1]
        for part in (ids[:, :cut], ids[:, cut:]):
            if part.size:
                stretch = Batch(ids=part, lengths=np.array([part.shape[1]], np.int32))
                found = read(sessions.reader, stretch, state, positions=nothing, targets=nothing)
                assert found["log_probabilities"].shape == (0,)
                state = found[NEXT_STATE]
        np.testing.assert_array_equal(state[0], together[NEXT_STATE][row])


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_step_s_rows_do_not_hang_on_one_another(made, precision):
    network, folder = made
    step = LanguageModelSessions.open(folder, precision).step
    tokens, first = np.arange(7, 38, dtype=np.int32), states(network, 31)
    together = run_step(step, tokens, first)
    for row in range(31):
        alone = run_step(step, tokens[row : row + 1], first[row : row + 1])
        for name, values in together.items():
            np.testing.assert_array_equal(alone[name][0], values[row])


def test_special_units_are_never_likely_and_candidates_are_the_best(made):
    network, folder = made
    found = run_step(LanguageModelSessions.open(folder, "int8").step, np.array([3], np.int32), states(network, 1), 60)
    assert found["log_probabilities"][0, :3].max() < -50
    np.testing.assert_array_equal(found["scores"][0], np.sort(found["log_probabilities"][0])[::-1])
    np.testing.assert_array_equal(found["log_probabilities"][0][found["candidates"][0]], found["scores"][0])


@only_where_exact
def test_int8_is_near_the_network(made):
    network, folder = made
    sessions = LanguageModelSessions.open(folder, "int8")
    assert max(walk(network, sessions, random_batch((3, 9), NUM_UNITS, 5))) < 0.1


def test_another_network_s_graphs_are_refused(made):
    network, folder = made
    sessions = LanguageModelSessions.open(folder, "fp32")
    torch.manual_seed(5)
    other = LanguageModel(vocabulary_size=NUM_UNITS, config=network.config).eval()
    with pytest.raises(ExportError, match="torch and onnxruntime differ by"):
        check_language_model(other, sessions)

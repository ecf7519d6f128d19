"""The int8 graphs of a published translator become the weights of a network again."""

from __future__ import annotations

import json
import shutil

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from service.bundle import MANIFEST, SUBWORDS, write_manifest
from tests.fakes import write_translator as write_fake
from tests.training.scripts import run
from tests.training.tiny_translator import random_sources, translator
from training.export import GRAPHS, round_weights
from training.translator.bundle_start import main, state_of_bundle
from training.translator.export import ENCODERS, write_translator

RELATIVE_ERROR = 0.02  # of log-probabilities by int8 weights; 0.007 is usual


def exported(folder, **choices):
    network = translator(**choices)
    with torch.no_grad():  # norms as training leaves them, not as they begin
        for norm in (network.source_norm, network.target_norm, network.readout_norm):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(std=0.1)
    round_weights(network)
    write_translator(network, folder, ("int8",))
    return network


def log_probabilities(network, num_steps=4):
    """Log-probabilities (step, batch, vocabulary) of random sources under teacher forcing with fixed tokens."""
    ids, lengths = random_sources(5, 7)
    with torch.inference_mode():
        memory, state = network.encode(ids, lengths)
        found = []
        for token in range(num_steps):
            step, scores = network.step(torch.full((len(ids),), 4 + token), state, memory)
            found.append(scores)
            state = step.state
    return torch.stack(found)


def restored(folder):
    network = translator(seed=2)
    network.load_state_dict(state_of_bundle(folder), strict=True)
    return network


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A network and the bundle of its int8 graphs."""
    folder = write_fake(tmp_path_factory.mktemp("models"))
    network = exported(folder)
    content = json.loads((folder / MANIFEST).read_text("utf-8"))
    files = {"file": GRAPHS["int8"], "encoder": ENCODERS["int8"]}
    precisions = {"int8": {**next(iter(content["precisions"].values())), **files}}
    write_manifest(folder, {**content, "precisions": precisions, "default_precision": "int8"})
    return network, folder


def test_the_network_of_a_bundle_answers_as_the_published_one_but_for_rounding(published):
    network, folder = published
    expected, found = log_probabilities(network), log_probabilities(restored(folder))
    spread = (log_probabilities(translator(seed=2)) - expected).abs().mean()
    assert (found - expected).abs().mean() < RELATIVE_ERROR * spread


def test_what_is_exported_again_is_the_same_but_for_rounding(published, tmp_path):
    first = restored(published[1])
    again = restored(published[1])
    round_weights(again)
    write_translator(again, tmp_path, ("int8",))
    difference = (log_probabilities(restored(tmp_path)) - log_probabilities(first)).abs().mean()
    assert difference < RELATIVE_ERROR * log_probabilities(first).std()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"num_layers": 2}, "encoder of one layer has 9 weights"),
        ({"attention": "none"}, "has 37 constants"),
    ],
)
def test_graphs_of_another_network_are_refused(tmp_path, choices, message):
    exported(tmp_path, **choices)
    with pytest.raises(ValueError, match=message):
        state_of_bundle(tmp_path)


def test_a_run_folder_is_written(published, tmp_path, monkeypatch, capsys):
    network, folder = published
    run(main, monkeypatch, folder, "--run-dir", tmp_path / "run")
    state = torch.load(tmp_path / "run/best.pt", weights_only=True)["network"]
    assert {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in network.state_dict().items()
    }
    assert (tmp_path / "run" / SUBWORDS).read_bytes() == (folder / SUBWORDS).read_bytes()
    assert f"{sum(value.numel() for value in state.values()):,} weights" in capsys.readouterr().out


def test_several_bundles_give_the_mean_of_their_weights(published, tmp_path, monkeypatch):
    folder, other = published[1], tmp_path / "other"
    shutil.copytree(folder, other)
    exported(other, seed=3)
    write_manifest(other, {k: v for k, v in json.loads((other / MANIFEST).read_text("utf-8")).items() if k != "files"})
    run(main, monkeypatch, folder, other, "--run-dir", tmp_path / "run")
    found = torch.load(tmp_path / "run/best.pt", weights_only=True)["network"]
    one, two = state_of_bundle(folder), state_of_bundle(other)
    assert all(torch.equal(found[name], torch.stack([one[name], two[name]]).mean(0)) for name in one)
    (other / SUBWORDS).write_bytes(b"others")
    write_manifest(other, {k: v for k, v in json.loads((other / MANIFEST).read_text("utf-8")).items() if k != "files"})
    with pytest.raises(SystemExit, match="different subwords"):
        run(main, monkeypatch, folder, other, "--run-dir", tmp_path / "run")

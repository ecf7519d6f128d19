"""A run that starts from a published classifier: its weights, its vocabulary, its answers as labels."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
for package in ("matplotlib", "vaderSentiment"):
    pytest.importorskip(package)

from service.bundle import VOCABULARIES
from tests.training.scripts import run
from training.classifier import bundle_start, train
from training.classifier.evaluate import classify_texts, open_classifier
from training.classifier.taught import read_taught
from training.export import GRAPHS
from training.networks.classifier import Classifier, ClassifierConfig


@pytest.fixture
def started(published, data_dir, tmp_path, monkeypatch):
    """The run folder that was made from the bundle of made-up sentiment."""
    folder = published("sentiment")
    arguments = ("--bundle", folder / "bundle", "--data-dir", data_dir, "--num-texts", 200)
    run(bundle_start.main, monkeypatch, folder / "sentiment.toml", "--run-dir", tmp_path / "run", *arguments)
    return tmp_path / "run"


def test_the_bundle_labels_the_texts(started, published):
    taught = read_taught(started / "taught.tsv", 3)
    classifier = open_classifier(published("sentiment") / "bundle", "fp32").classifier
    scores = classify_texts(classifier, [text.text for text in taught])
    np.testing.assert_allclose([text.target for text in taught], scores, atol=1e-4)


def test_training_goes_on_from_its_weights_and_words(started, published, data_dir, tmp_path, monkeypatch):
    folder = published("sentiment")
    assert (started / VOCABULARIES).read_bytes() == (folder / "bundle" / VOCABULARIES).read_bytes()
    config = tmp_path / "again.toml"
    text = (folder / "sentiment.toml").read_text("utf-8")
    text = text.replace("learning_rate = ", "learning_rate = 1e-9 # ")
    config.write_text(f'starts_from = "0.0.1"\n{text}', encoding="utf-8")
    run(train.main, monkeypatch, config, "--run-dir", started, "--data-dir", data_dir)
    before, after = (torch.load(started / name, weights_only=True)["network"] for name in ("start.pt", "best.pt"))
    torch.testing.assert_close(after, before, rtol=0, atol=1e-4)


def test_a_graph_of_another_network_is_refused(published, tmp_path):
    model = onnx.load(published("sentiment") / "bundle" / GRAPHS["fp32"])
    del model.graph.initializer[-1]
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="not the weights of a bidirectional LSTM"):
        bundle_start.state_of_graph(tmp_path / "model.onnx")


def test_the_weights_that_ship_may_be_a_mean_with_those_of_the_start():
    config = ClassifierConfig(word_size=4, hidden_size=3)
    start, network = (Classifier(num_words=5, num_labels=3, multi_label=False, config=config) for _ in range(2))
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    train.mix_in(start.state_dict(), network, 0.25)
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(weight, 0.75 * before[name] + 0.25 * start.state_dict()[name])

"""From made-up corpora to a bundle that the service loads, by the scripts themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
for package in ("onnx", "sklearn", "matplotlib"):
    pytest.importorskip(package)

from service.bundle import CARD, EXAMPLES, MANIFEST, VOCABULARIES, Bundle, load_bundle
from service.predictors.classifier import Classifier as Predictor
from service.predictors.self_test import replay
from service.runtime.session import OnnxSession
from service.text.batch import pad
from tests.training.corpora.made_up_texts import write_corpora
from tests.training.scripts import run
from training import evaluate_classifier, label_reviews, train_classifier
from training.corpora.text_tasks import TASKS
from training.export import GRAPHS, WEIGHTS
from training.networks.classifier import Classifier, ClassifierConfig
from training.networks.language_model import LanguageModel, LanguageModelConfig
from training.publish_classifier import OPINIONS, TWEETS

CONFIG = """
name = "made-up"
version = "0.0.1"
task = "{task}"
description = "Opinions that nobody has"
is_default = true
min_count = 1
batch_words = 60

[network]
word_size = 128
hidden_size = 8

[fit]
num_epochs = 3
learning_rate = 1e-2
warmup_steps = 2
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_corpora(folder)
    return folder


def write_config(folder: Path, task: str) -> Path:
    path = folder / "run.toml"
    path.write_text(CONFIG.format(task=task), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=["sentiment", "irony"])
def published(tmp_path_factory, data_dir, request) -> Path:
    """A run folder, and in it the bundle that one run of the script made."""
    folder = tmp_path_factory.mktemp("run")
    config = write_config(folder, request.param)
    arguments = ("--data-dir", data_dir, "--run-dir", folder, "--bundle", folder / "bundle")
    with pytest.MonkeyPatch.context() as patch:
        run(train_classifier.main, patch, config, *arguments)
    return folder


def bundle_of(published: Path) -> Bundle:
    return load_bundle(published / "bundle")


def is_sentiment(bundle: Bundle) -> bool:
    return bundle.manifest.labels["label"] == TASKS["sentiment"]


def test_the_bundle_is_whole_and_its_examples_replay(published):
    bundle = bundle_of(published)
    assert set(bundle.manifest.files) == {*GRAPHS.values(), WEIGHTS, VOCABULARIES, EXAMPLES, CARD}
    for precision in GRAPHS:
        replay(Predictor(bundle, OnnxSession(bundle.graph(precision))), bundle, precision=precision)


def test_examples_are_texts_of_the_models_kind(published):
    bundle = bundle_of(published)
    examples = json.loads(bundle.path(EXAMPLES).read_text(encoding="utf-8"))
    assert {example["text"] for example in examples} <= set(OPINIONS if is_sentiment(bundle) else TWEETS)


def test_manifest_and_graph_agree(published):
    bundle = bundle_of(published)
    manifest = bundle.manifest
    assert (manifest.name, manifest.version, manifest.task, manifest.default) == ("made-up", "0.0.1", "classify", True)
    assert manifest.outputs[0].shape == ("batch", len(manifest.labels["label"]))
    assert manifest.limits == {"max_tokens": 2048}
    session = OnnxSession(bundle.graph())
    assert session.input_names == [tensor.name for tensor in manifest.inputs]
    assert session.output_names == [tensor.name for tensor in manifest.outputs]


def test_the_service_can_classify_with_it(published):
    bundle = bundle_of(published)
    classifier = Predictor(bundle, OnnxSession(bundle.graph()))
    answers = classifier.run(pad([classifier.encode(text).ids for text in ("a delight", "awful, and long " * 300)]))
    assert {answer.label for answer in answers} <= set(bundle.manifest.labels["label"])


def test_figures_are_those_of_the_report_and_of_the_card(published):
    bundle = bundle_of(published)
    manifest = json.loads(bundle.path(MANIFEST).read_text(encoding="utf-8"))
    name = "sst2" if is_sentiment(bundle) else "irony"
    metrics = dict(manifest["metrics"])
    assert metrics.pop("temperature") > 0
    assert metrics == json.loads((published / "report" / "figures.json").read_text(encoding="utf-8"))["facts"]
    assert {f"{name}_accuracy", f"{name}_macro_f1", f"{name}_ece", f"{name}_ece_uncalibrated"} <= set(metrics)
    assert ("minimal_pairs_both" in metrics) == is_sentiment(bundle)
    assert ("irony_f1_irony" in metrics) != is_sentiment(bundle)
    fp32, int8 = (manifest["precisions"][precision]["metrics"] for precision in GRAPHS)
    assert fp32[f"test_{name}_accuracy"] == metrics[f"{name}_accuracy"]
    assert set(int8) - set(fp32) == {"labels_changed", "score_difference_mean", "score_difference_max"}
    card = bundle.path(CARD).read_text(encoding="utf-8")
    assert f"{metrics[f'{name}_accuracy']:.2f}" in card
    for corpus in manifest["corpora"]:
        assert f"| {corpus['name']} | {corpus['use']} | {corpus['licence']} |" in card


def test_baselines_and_int8_stand_beside_the_model(published):
    kept = json.loads((published / "baselines.json").read_text(encoding="utf-8"))
    report = (published / "report" / "report.md").read_text(encoding="utf-8")
    for system in ("model, fp32", "model, int8", *kept["systems"]):
        assert f"| {system} |" in report


def test_the_script_prints_the_figures_of_the_manifest(published, data_dir, tmp_path, monkeypatch, capsys):
    arguments = (published / "bundle", "--split", "test", "--data-dir", data_dir)
    baselines = ("--baselines", published / "baselines.json")
    run(evaluate_classifier.main, monkeypatch, *arguments, "--report", tmp_path / "report", *baselines)
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    metrics = bundle_of(published).manifest.metrics
    figures = {name: value for name, value in metrics.items() if name != "temperature"}
    assert {name: float(printed[name]) for name in figures} == figures
    assert any(name.endswith("_texts_per_second") for name in printed)
    assert (tmp_path / "report" / "report.md").is_file()

    run(evaluate_classifier.main, monkeypatch, *arguments, "--precision", "int8")
    assert "_accuracy" in capsys.readouterr().out


def test_without_bundle_nothing_is_published_and_no_test_set_is_measured(tmp_path, data_dir, monkeypatch):
    config = write_config(tmp_path, "irony")
    run(train_classifier.main, monkeypatch, config, "--data-dir", data_dir, "--run-dir", tmp_path / "run")
    assert (tmp_path / "run" / "best.pt").is_file()
    assert not list(tmp_path.rglob(MANIFEST))


SECOND = """
pretrained = "{first}"

[epoch_texts]
unlabelled = 1

[labelled]
reviews = "{first}/reviews.tsv"

"""


def test_a_second_run_learns_from_what_the_first_and_a_linear_model_say(data_dir, tmp_path, monkeypatch, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    config = write_config(tmp_path, "sentiment")
    run(train_classifier.main, monkeypatch, config, "--data-dir", data_dir, "--run-dir", first)
    run(label_reviews.main, monkeypatch, config, "--data-dir", data_dir, "--run-dir", first)
    rows = [line.split("\t") for line in (first / "reviews.tsv").read_text(encoding="utf-8").splitlines()]
    assert [text for _, _, text in rows] == ["never rated at all", "nor was this"]
    assert all(float(negative) + float(positive) == pytest.approx(1, abs=1e-3) for negative, positive, _ in rows)
    assert "share of the linear model" in capsys.readouterr().out

    head, network, rest = config.read_text(encoding="utf-8").partition("[network]")
    config.write_text(head + SECOND.format(first=first) + network + rest, encoding="utf-8")
    run(train_classifier.main, monkeypatch, config, "--data-dir", data_dir, "--run-dir", second)
    assert (first / VOCABULARIES).read_bytes() == (second / VOCABULARIES).read_bytes()
    assert (second / "best.pt").exists()


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_language_model_s_words_and_layers_are_where_a_classifier_begins(tmp_path, num_layers):
    size = {"word_size": 6, "hidden_size": 8, "num_layers": num_layers}
    model = LanguageModel(frequencies=np.ones(20), config=LanguageModelConfig(**size))
    torch.save({"network": model.state_dict()}, tmp_path / "best.pt")
    network = Classifier(num_words=15, num_labels=2, config=ClassifierConfig(**size))
    head = network.head.weight.clone()
    train_classifier.load_pretrained(network, tmp_path)
    assert torch.equal(network.words.weight, model.words.weight[:15])
    for own, theirs in (
        (network.encoder.forwards, model.directions["forwards"].encoder.forwards),
        (network.encoder.backwards, model.directions["backwards"].encoder.forwards),
    ):
        first, expected = own[0].state_dict(), theirs[0].state_dict()
        assert all(torch.equal(first[name], expected[name]) for name in expected)
    assert torch.equal(network.head.weight, head)

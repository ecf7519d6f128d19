"""From made-up corpora to bundles that the service loads, by the script itself: a text of one label, of several, and
labels and their groups that are read from files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
for package in ("onnx", "matplotlib", "vaderSentiment"):
    pytest.importorskip(package)

from service.bundle import CARD, EXAMPLES, MANIFEST, VOCABULARIES, Bundle, load_bundle
from service.predictors.classifier import Classifier
from service.predictors.predictor import replay
from service.runtime.session import OnnxSession
from service.text.pipeline import load_vocabularies, pad
from tests.training.classifier.small_tasks import write_task
from tests.training.corpora.made_up_texts import text_of
from tests.training.scripts import run
from training.classifier import evaluate, train
from training.export import GRAPHS, WEIGHTS

LABELS = {
    "sentiment": ("negative", "neutral", "positive"),
    "emotion": ("anger", "joy", "neutral"),
    "intent": ("balance", "oos", "transfer", "weather"),
}
each_task = pytest.mark.parametrize("task", LABELS)


def bundle_of(run_folder: Path) -> Bundle:
    return load_bundle(run_folder / "bundle")


def classifier_of(run_folder: Path, precision: str | None = None) -> Classifier:
    bundle = bundle_of(run_folder)
    return Classifier(bundle, OnnxSession(bundle.graph(precision)))


@each_task
def test_the_bundle_is_whole_and_its_examples_replay(published, task):
    bundle = bundle_of(published(task))
    assert set(bundle.manifest.files) == {*GRAPHS.values(), WEIGHTS, VOCABULARIES, EXAMPLES, CARD}
    for precision in GRAPHS:
        replay(classifier_of(published(task), precision), bundle, precision=precision)


@each_task
def test_manifest_and_graph_agree(published, task):
    bundle = bundle_of(published(task))
    manifest = bundle.manifest
    assert (manifest.name, manifest.version, manifest.task, manifest.default) == ("made-up", "0.0.1", "classify", True)
    assert manifest.labels == {"label": LABELS[task]}
    assert manifest.outputs[0].shape == ("batch", len(LABELS[task]))
    assert manifest.limits == {"max_tokens": 2048}
    session = OnnxSession(bundle.graph())
    assert session.input_names == [tensor.name for tensor in manifest.inputs]
    assert session.output_names == [tensor.name for tensor in manifest.outputs]


@each_task
def test_the_service_answers_with_what_was_learned(published, task):
    classifier = classifier_of(published(task))
    texts = {label: text_of(label, "test", 1) for label in LABELS[task]}
    answers = classifier.run(pad([classifier.encode(text).ids for text in texts.values()]))
    assert [answer.label for answer in answers] == list(texts)


def test_only_a_multi_label_bundle_has_thresholds_and_examples_with_labels(published):
    bundle = bundle_of(published("emotion"))
    assert bundle.manifest.multi_label
    assert set(bundle.manifest.thresholds) == set(LABELS["emotion"])
    examples = json.loads(bundle.path(EXAMPLES).read_text(encoding="utf-8"))
    assert all(set(example["labels"]) <= set(LABELS["emotion"]) for example in examples)
    for task in ("sentiment", "intent"):
        manifest = bundle_of(published(task)).manifest
        assert not manifest.multi_label
        assert manifest.thresholds is None


def test_a_text_of_two_labels_gets_both(published):
    classifier = classifier_of(published("emotion"))
    (answer,) = classifier.run(pad([classifier.encode(text_of("anger,joy", "train", 1) + " happy").ids]))
    assert set(answer.chosen) == {"anger", "joy"}


def test_groups_are_those_of_the_file_in_the_order_of_the_labels(published):
    manifest = bundle_of(published("intent")).manifest
    assert manifest.groups == {"banking": ("balance", "transfer"), "home": ("weather",)}
    classifier = classifier_of(published("intent"))
    (answer,) = classifier.run(pad([classifier.encode(text_of("transfer", "test", 0)).ids]))
    assert answer.group == "banking"


@pytest.mark.parametrize("task", ["emotion", "intent"])
def test_the_script_prints_the_figures_of_manifest_and_card(published, data_dir, monkeypatch, capsys, task):
    folder = published(task)
    capsys.readouterr()  # what training printed, if this test is the first to ask for the run
    arguments = (folder / "bundle", "--split", "test", "--data-dir", data_dir, "--config", folder / f"{task}.toml")
    run(evaluate.main, monkeypatch, *arguments)
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    metrics = dict(bundle_of(folder).manifest.metrics)
    assert metrics.pop("temperature") > 0
    assert {name: float(value) for name, value in printed.items()} == metrics
    card = (folder / "bundle" / CARD).read_text(encoding="utf-8")
    fp32 = json.loads((folder / "bundle" / MANIFEST).read_text(encoding="utf-8"))["precisions"]["fp32"]["metrics"]
    for name, value in metrics.items():
        assert fp32[f"test_{name}"] == value
        assert f"| `test_{name}` | {value:.2f} |" in card


def test_a_corpus_without_a_test_set_is_measured_on_dev_alone(published, data_dir, monkeypatch, capsys):
    folder = published("sentiment")
    capsys.readouterr()  # what training printed, if this test is the first to ask for the run
    assert set(bundle_of(folder).manifest.metrics) == {"temperature"}
    card = (folder / "bundle" / CARD).read_text(encoding="utf-8")
    assert "the corpora have no test set." in card
    assert "| `sentiment-general_macro_f1` |" in card
    run(evaluate.main, monkeypatch, folder / "bundle", "--data-dir", data_dir, "--config", folder / "sentiment.toml")
    assert "sentiment-general reddit macro_f1" in capsys.readouterr().out


@each_task
def test_a_report_of_both_precisions_lies_beside_the_run(published, task):
    folder = published(task) / "report"
    report = (folder / "report.md").read_text(encoding="utf-8")
    for precision in GRAPHS:
        assert f"| {precision} |" in report
    figures = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    assert set(figures["sets"]) == {"dev", "test"}
    assert any(folder.glob("confusion-*.png")) == (task != "emotion")


def test_without_bundle_nothing_is_published(tmp_path, data_dir, monkeypatch, capsys):
    config = write_task(tmp_path, "irony")
    run(train.main, monkeypatch, config, "--data-dir", data_dir, "--run-dir", tmp_path / "run")
    assert (tmp_path / "run" / "best.pt").is_file()
    assert "dev tweeteval_irony_f1_irony" in capsys.readouterr().out
    assert not list(tmp_path.rglob(MANIFEST))


def test_a_seed_is_that_of_the_command_line(tmp_path, data_dir, monkeypatch):
    config = write_task(tmp_path, "irony")
    for name, seed in (("one", 2), ("same", 2), ("other", 3)):
        run(train.main, monkeypatch, config, "--data-dir", data_dir, "--run-dir", tmp_path / name, "--seed", seed)
    one, same, other = (
        torch.load(tmp_path / name / "best.pt", weights_only=True)["network"]["head.weight"].numpy()
        for name in ("one", "same", "other")
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_source_left_out_gives_no_text_and_no_word(tmp_path, data_dir, monkeypatch):
    config = write_task(tmp_path, "sentiment")
    arguments = ("--data-dir", data_dir, "--run-dir", tmp_path / "run", "--leave-out", "tweets", "pros-cons", "words")
    run(train.main, monkeypatch, config, *arguments)
    words = load_vocabularies(tmp_path / "run" / VOCABULARIES)["words"].tokens
    assert "phone" in words
    assert not {"battery", "unlabelled"} & set(words)

from __future__ import annotations

import json

import pytest

for package in ("torch", "onnx", "matplotlib"):
    pytest.importorskip(package)

import numpy as np

from service.bundle import VOCABULARIES
from tests.fakes import GRAPH, MAX_TOKENS, probability_of, sentiment_graph, write_classifier
from training.corpora.labelled import LabelledText
from training.corpora.text_tasks import TASKS, TextSet
from training.evaluate_classifier import classify_texts, measure, open_classifier, read_baselines, task_of

TEXTS = ("good", "bad plot", "exciting plot", "boring", "a good plot", "not bad")
LABELS = (1, 0, 1, 0, 1, 1)  # the last one is more than the sum of its words


@pytest.fixture
def model(tmp_path):
    return open_classifier(write_classifier(tmp_path, graph=sentiment_graph()))


def test_scores_come_in_the_texts_order(model):
    scores = classify_texts(model.classifier, TEXTS)
    assert np.allclose(scores[:, 1], [probability_of(text) for text in TEXTS])


def test_of_a_text_over_the_limit_the_beginning_counts(model):
    long = "bad " * MAX_TOKENS + "exciting " * MAX_TOKENS
    assert np.allclose(*classify_texts(model.classifier, [long, "bad " * MAX_TOKENS]))


def test_figures_are_in_percent_and_know_the_temperature(model):
    texts = [LabelledText(text=text, label=label) for text, label in zip(TEXTS, LABELS, strict=True)]
    part = TextSet(name="sst2", corpus="SST-2 test", texts=texts)
    hot, plain = (
        measure(model, [part], split="test", temperature=temperature, baselines={"systems": {}})
        for temperature in (0.01, 1.0)
    )
    figures = hot.figures()
    assert figures["sst2_accuracy"] == 83.33
    assert figures["sst2_ece"] == plain.figures()["sst2_ece"] == plain.figures()["sst2_ece_uncalibrated"]
    assert figures["sst2_ece_uncalibrated"] != figures["sst2_ece"]
    assert 0 <= figures["minimal_pairs_both"] <= figures["minimal_pairs_texts"] <= 100
    assert hot.answered[0].texts_per_second > 0
    system = hot.sections[0].systems[0]
    assert (system.name, system.accuracy) == ("model, fp32", pytest.approx(5 / 6))


def test_the_size_is_that_of_the_files_a_precision_needs(model):
    files = model.bundle.manifest.files
    assert model.size_bytes == files[GRAPH].size_bytes + files[VOCABULARIES].size_bytes


@pytest.mark.parametrize("task", ["sentiment", "sst5", "irony", "emotion"])
def test_a_bundle_is_measured_on_all_that_has_its_classes(task):
    assert task_of(TASKS[task]) == task


def test_classes_of_no_task_are_refused():
    with pytest.raises(ValueError, match="no task has the classes yes, no"):
        task_of(("yes", "no"))


def test_baselines_of_several_files_stand_together_if_they_know_the_split(tmp_path):
    rows = {"one.json": {"bag": {"sets": {"dev": {}, "test": {}}}}, "two.json": {"RNN": {"sets": {"dev": {}}}}}
    for name, systems in rows.items():
        (tmp_path / name).write_text(json.dumps({"systems": systems}), encoding="utf-8")
    paths = [tmp_path / name for name in rows]
    assert set(read_baselines(paths, "dev")["systems"]) == {"bag", "RNN"}
    assert set(read_baselines(paths, "test")["systems"]) == {"bag"}
    assert read_baselines([], "test") == {"systems": {}}

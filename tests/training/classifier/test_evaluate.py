from __future__ import annotations

import numpy as np
import pytest

for package in ("torch", "onnx"):
    pytest.importorskip(package)

from tests.fakes import (
    LABELS,
    MAX_TOKENS,
    MULTI_LABELS,
    chosen_of,
    multi_label_graph,
    probabilities_of,
    probability_of,
    sentiment_graph,
    write_classifier,
    write_multi_label,
)
from tests.training.classifier.small_tasks import config
from tests.training.corpora.made_up_texts import write
from training.classifier.corpora import read_sets
from training.classifier.evaluate import classify_texts, measure, open_classifier

TEXTS = ("good", "bad plot", "exciting plot", "boring", "a good plot", "not bad")
GOLD = (1, 0, 1, 0, 1, 1)  # the last one is more than the sum of its words


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return open_classifier(write_classifier(tmp_path_factory.mktemp("models"), graph=sentiment_graph()))


def test_scores_come_in_the_texts_order(model):
    scores = classify_texts(model.classifier, TEXTS)
    assert np.allclose(scores[:, 1], [probability_of(text) for text in TEXTS])


def test_of_a_text_over_the_limit_the_beginning_counts(model):
    long = "bad " * MAX_TOKENS + "exciting " * MAX_TOKENS
    assert np.allclose(*classify_texts(model.classifier, [long, "bad " * MAX_TOKENS]))


def test_a_text_without_a_word_has_the_mean_of_the_others_or_equal_scores(model):
    scores = classify_texts(model.classifier, ["good", " ", "boring"])
    assert np.allclose(scores[1], (scores[0] + scores[2]) / 2)
    assert classify_texts(model.classifier, [" "]).tolist() == [[0.5, 0.5]]
    assert classify_texts(model.classifier, []).shape == (0, 2)


def test_a_bundle_is_measured_on_the_corpora_of_its_configuration(model, tmp_path):
    rows = (f"{LABELS[label]}\t{text}\n" for text, label in zip(TEXTS, GOLD, strict=True))
    write(tmp_path / "mine" / "test.tsv", "".join(rows))
    run = config(corpora=("mine",), labels=LABELS)
    (found,) = measure(model, run, read_sets(run, "test", tmp_path))
    assert found.figures["accuracy"] == pytest.approx(5 / 6)
    assert found.calibration.expected_error == found.figures["ece"]


def test_a_multi_label_bundle_is_measured_at_its_own_thresholds(tmp_path):
    model = open_classifier(write_multi_label(tmp_path, graph=multi_label_graph()))
    texts = [text for text in ("exciting plot", "bad", "boring bad", "good good") if chosen_of(text)]
    write(tmp_path / "mine" / "dev.tsv", "".join(f"{','.join(chosen_of(text))}\t{text}\n" for text in texts))
    run = config(corpora=("mine",), labels=MULTI_LABELS, multi_label=True)
    (found,) = measure(model, run, read_sets(run, "dev", tmp_path))
    assert found.figures == {"macro_f1": 1.0, "micro_f1": 1.0}
    assert max(probabilities_of("bad").values()) < 0.9 <= max(probabilities_of("boring bad").values())

from __future__ import annotations

import json

import numpy as np
import pytest

for package in ("torch", "sklearn", "vaderSentiment", "onnx"):
    pytest.importorskip(package)

from tests.training.classifier.small_tasks import config, labelled, several, write_task
from tests.training.scripts import run
from training.classifier import baselines
from training.classifier.baselines import LinearClassifier, best_linear, vader_scores, words_and_pairs
from training.classifier.corpora import TextSet
from training.classifier.report import BASELINES

TEXTS = labelled(
    *(
        (f"{word} film number {number}", label)
        for number in range(4)
        for word, label in (("Good", 1), ("Bad", 0), ("great", 1), ("awful", 0))
    )
)


def test_pairs_are_of_neighbours_case_aside():
    assert words_and_pairs("Not so BAD") == ["not", "so", "bad", "not so", "so bad"]
    assert words_and_pairs("bad") == ["bad"]
    assert words_and_pairs("") == []


def test_a_linear_model_learns_words_whatever_their_case():
    dev = [TextSet(name="dev", texts=TEXTS)]
    model, strength = best_linear(TEXTS, dev, config(), ("bad", "good"))
    assert strength in baselines.STRENGTHS
    assert model.scores(["a GOOD film", "a bad film"]).argmax(1).tolist() == [1, 0]


def test_a_label_that_no_text_has_is_never_likely():
    texts = [*labelled(*((each.text, each.label) for each in TEXTS), num_labels=3)]
    scores = LinearClassifier(texts, multi_label=False, strength=1.0).scores(["a good film", "a bad film"])
    assert scores.shape == (2, 3)
    assert scores[:, 2].tolist() == [0, 0]


def test_several_labels_have_probabilities_of_their_own():
    texts = several([("hate it", [0]), ("love it", [1]), ("hate and love", [0, 1]), ("it", [])] * 4, 2)
    scores = LinearClassifier(texts, multi_label=True, strength=16.0).scores(["hate love", "it"])
    assert (scores[0] > 0.5).all()
    assert (scores[1] < 0.5).all()


def test_the_word_list_knows_three_sides():
    texts = ["It is great!", "It is terrible.", "It is on the table."]
    assert vader_scores(texts).argmax(1).tolist() == [2, 0, 1]
    assert np.array_equal(vader_scores(texts).sum(1), [1, 1, 1])


@pytest.mark.parametrize(
    ("task", "name", "systems"),
    [
        ("sentiment", "sentiment-general", ["TF-IDF, linear", "VADER"]),
        ("emotion", "goemotions", ["TF-IDF, linear"]),
        ("intent", "intents/clinc150", ["TF-IDF, linear"]),
    ],
)
def test_a_task_gives_its_figures_where_the_report_finds_them(
    data_dir, tmp_path, monkeypatch, capsys, task, name, systems
):
    run(baselines.main, monkeypatch, write_task(tmp_path, task), "--data-dir", data_dir, "--run-dir", tmp_path)
    found = json.loads((tmp_path / BASELINES).read_text(encoding="utf-8"))
    assert found == json.loads(capsys.readouterr().out)
    assert list(found["dev"]) == [name]
    assert list(found["test"]) == ([] if task == "sentiment" else [name])
    assert list(found["dev"][name]) == systems
    assert found["dev"][name]["TF-IDF, linear"]["macro_f1"] > 0.7
    assert found["train_texts"] > 30

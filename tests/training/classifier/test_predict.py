from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from service.text.pipeline import TextEncoder
from service.text.vocabulary import Vocabulary
from tests.training.classifier.made_up import config, labelled, several
from training.classifier.corpora import TextSet
from training.classifier.predict import MAX_TOKENS, figures_of, mean_figures, predict_logits, score_sets
from training.networks.classifier import Classifier, ClassifierConfig

ENCODER = TextEncoder(Vocabulary.of("good bad film very".split()))
LABELS = ("negative", "positive")
TEXTS = ("good film", "bad", "", "very very very bad film", "good " * 3000)


def network(**choices) -> Classifier:
    torch.manual_seed(1)
    return Classifier(
        num_words=7, num_labels=2, config=ClassifierConfig(word_size=4, hidden_size=4, pooling="mean"), **choices
    ).eval()


def test_logits_come_in_the_order_of_the_texts_each_as_if_alone():
    net = network()
    together = predict_logits(net, ENCODER, TEXTS)
    assert together.shape == (5, 2)
    for text, row in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(predict_logits(net, ENCODER, [text])[0], row, atol=1e-5)


def test_what_is_beyond_the_limit_is_not_read():
    net = network()
    whole, beginning = predict_logits(net, ENCODER, ["good " * MAX_TOKENS + "bad " * 9, "good " * MAX_TOKENS])
    np.testing.assert_allclose(whole, beginning, atol=1e-6)


PART = TextSet(name="mine", texts=labelled(("a", 0), ("b", 1), ("c", 1)))
SCORES = np.log([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]])


@pytest.mark.parametrize(
    ("figure", "value"),
    [("accuracy", 200 / 3), ("macro_f1", 200 / 3), ("f1 positive", 200 / 3), ("f1 negative", 200 / 3)],
)
def test_the_official_figure_is_that_of_the_configuration_in_percent(figure, value):
    figures = figures_of(PART, SCORES, config(figure=figure), LABELS)
    assert figures["official"] == figures[figure] == pytest.approx(value)


def test_an_unknown_figure_is_refused():
    with pytest.raises(ValueError, match="figure 'f2': not accuracy, macro_f1 or f1 LABEL"):
        figures_of(PART, SCORES, config(figure="f2"), LABELS)


def test_several_labels_are_measured_at_the_best_thresholds():
    part = TextSet(name="mine", texts=several([("a", [0]), ("b", [0, 1]), ("c", [])], 2))
    scores = np.array([[0.4, 0.1], [0.3, 0.2], [0.1, 0.15]])
    figures = figures_of(part, scores, config(multi_label=True), LABELS)
    assert figures == {"official": 100.0, "macro_f1": 100.0, "micro_f1": 100.0}


def test_the_score_is_the_mean_of_the_official_figures():
    figures = mean_figures({"one": {"official": 50.0, "accuracy": 50.0}, "two": {"official": 70.0}})
    assert figures == {"score": 60.0, "one_official": 50.0, "one_accuracy": 50.0, "two_official": 70.0}


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_network_in_training_is_scored_on_every_set(multi_label):
    part = TextSet(name="mine", texts=several([("good", [0]), ("bad", [1]), ("film", [0])], 2))
    run = config(multi_label=multi_label)
    figures = score_sets(network(multi_label=multi_label), ENCODER, [part], run, LABELS)
    assert figures["score"] == figures["mine_macro_f1"]

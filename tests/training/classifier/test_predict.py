from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from service.text.pipeline import TextEncoder, Vocabulary
from tests.training.classifier.small_tasks import config, several
from training.classifier.corpora import TextSet
from training.classifier.predict import MAX_TOKENS, predict_logits, score_sets
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


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_network_in_training_is_scored_on_every_set(multi_label):
    part = TextSet(name="mine", texts=several([("good", [0]), ("bad", [1]), ("film", [0])], 2))
    run = config(multi_label=multi_label)
    figures = score_sets(network(multi_label=multi_label), ENCODER, [part], run, LABELS)
    assert figures["score"] == pytest.approx(figures["mine_macro_f1"], abs=0.01)

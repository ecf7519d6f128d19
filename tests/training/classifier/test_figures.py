from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.training.classifier.small_tasks import config, labelled, several
from training.classifier.corpora import TextSet
from training.classifier.figures import dev_figures, figures_by_source, measure_set, percent

LABELS = ("negative", "positive")
PART = TextSet(name="mine", texts=labelled(("a", 0), ("b", 1), ("c", 1)))
SCORES = np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]])


def test_figures_of_one_label_a_text():
    part = TextSet(name="spam/sms", texts=labelled(("a", 0), ("b", 1), ("c", 1)))
    scores = np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]])
    found = measure_set(part, scores, config(figure="f1 positive"), LABELS)
    assert (found.name, found.num_texts) == ("spam/sms", 3)
    assert found.figures["accuracy"] == pytest.approx(2 / 3)
    assert found.figures["f1 positive"] == found.by_label["positive"].f1 == pytest.approx(2 / 3)
    assert found.figures["ece"] == pytest.approx((0.2 + 0.4 + 0.7) / 3)
    assert found.by_source == {}
    assert percent([found]) == {
        "spam_sms_accuracy": 66.67,
        "spam_sms_macro_f1": 66.67,
        "spam_sms_f1_positive": 66.67,
        "spam_sms_ece": 43.33,
    }


def test_figures_of_several_labels_a_text_are_at_the_thresholds():
    part = TextSet(name="mine", texts=several([("a", [0]), ("b", [0, 1]), ("c", [])], 2))
    scores = np.array([[0.4, 0.1], [0.3, 0.2], [0.1, 0.15]])
    run = config(multi_label=True)
    assert measure_set(part, scores, run, LABELS, [0.2, 0.2]).figures == {"macro_f1": 1.0, "micro_f1": 1.0}
    assert measure_set(part, scores, run, LABELS, [0.5, 0.5]).figures == {"macro_f1": 0.0, "micro_f1": 0.0}
    assert measure_set(part, scores, run, LABELS).figures == {"macro_f1": 1.0, "micro_f1": 1.0}  # the best thresholds


def test_a_source_is_measured_over_the_labels_that_it_has():
    texts = [*labelled(("a", 1), ("b", 1), source="praise"), *labelled(("c", 0), ("d", 1), source="mixed")]
    scores = np.array([[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.2, 0.8]])
    assert figures_by_source(texts, scores, LABELS) == {
        "mixed": {"macro_f1": 1.0, "ece": pytest.approx(0.2)},
        "praise": {"macro_f1": pytest.approx(2 / 3), "ece": pytest.approx(0.4)},
    }
    assert figures_by_source(texts[:2], scores[:2], LABELS) == {}


@pytest.mark.parametrize("figure", ["accuracy", "macro_f1", "f1 positive", "f1 negative"])
def test_the_score_is_the_figure_of_the_configuration_in_percent(figure):
    run = config(figure=figure)
    figures = dev_figures([measure_set(PART, SCORES, run, LABELS)], run)
    assert figures["score"] == pytest.approx(200 / 3)
    assert figures[f"mine_{figure.replace(' ', '_')}"] == 66.67


def test_the_score_is_the_mean_over_the_sets():
    run = config(figure="accuracy")
    worse = TextSet(name="other", texts=labelled(("a", 1), ("b", 0), ("c", 1)))
    found = [measure_set(part, SCORES, run, LABELS) for part in (PART, worse)]
    assert dev_figures(found, run)["score"] == pytest.approx((200 / 3 + 0) / 2)


def test_an_unknown_figure_is_refused():
    run = config(figure="f2")
    with pytest.raises(ValueError, match="figure 'f2': not accuracy, macro_f1 or f1 LABEL of mine"):
        dev_figures([measure_set(PART, SCORES, run, LABELS)], run)

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation import Score, confuse, confuse_entities, evaluate_spans, evaluate_tags

WORDS = [["the", "dog", "barks"], ["a", "zyx"]]
GOLD = [["DET", "NOUN", "VERB"], ["DET", "NOUN"]]
PREDICTED = [["DET", "NOUN", "NOUN"], ["DET", "X"]]


def tag_report(predicted=PREDICTED):
    return evaluate_tags(words=WORDS, gold=GOLD, predicted=predicted, known_words={"the", "a", "dog"})


def test_accuracy_is_split_by_what_training_saw():
    report = tag_report()
    assert (report.overall.correct, report.overall.total) == (3, 5)
    assert (report.known.correct, report.known.total) == (3, 3)
    assert (report.unknown.correct, report.unknown.total) == (0, 2)


def test_each_tag_has_its_precision_recall_and_support():
    noun = tag_report().by_tag["NOUN"]
    assert (noun.precision, noun.recall, noun.support) == (0.5, 0.5, 2)
    assert tag_report().by_tag["X"] == Score(correct=0, predicted=1, support=0)


def test_confusion_counts_gold_in_rows_and_predictions_in_columns():
    confusion = tag_report().confusion
    assert confusion.labels == ("DET", "NOUN", "VERB", "X")
    assert confusion.counts.tolist() == [[2, 0, 0, 0], [0, 1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_entity_confusion_forgets_where_in_the_span_a_word_stands():
    confusion = confuse_entities([["B-PER", "E-PER", "O"]], [["B-PER", "I-PER", "S-ORG"]])
    assert confusion.labels == ("O", "ORG", "PER")
    assert confusion.counts.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 2]]


def test_nothing_at_all_scores_zero_and_not_an_error():
    report = evaluate_tags(words=[], gold=[], predicted=[], known_words=set())
    assert report.overall.value == 0.0
    assert report.confusion.counts.shape == (0, 0)
    assert evaluate_spans(gold=[], predicted=[]).micro.f1 == 0.0


def test_a_span_counts_only_if_label_start_and_end_agree():
    gold = [[("PER", 0, 2), ("LOC", 3, 4)], [("ORG", 0, 1)]]
    predicted = [[("PER", 0, 2), ("LOC", 3, 5)], [("PER", 0, 1)]]
    report = evaluate_spans(gold=gold, predicted=predicted)
    assert report.micro == Score(correct=1, predicted=3, support=3)
    assert report.by_label["PER"] == Score(correct=1, predicted=2, support=1)
    assert report.by_label["LOC"].f1 == 0.0


def test_spans_of_one_sentence_do_not_answer_for_another():
    assert evaluate_spans(gold=[[("PER", 0, 1)], []], predicted=[[], [("PER", 0, 1)]]).micro.correct == 0


@pytest.mark.parametrize("predicted", [[["DET", "NOUN"], ["DET", "X"]], [["DET", "NOUN", "VERB"]]])
def test_misaligned_answers_are_refused(predicted):
    with pytest.raises(ValueError, match="differ in length"):
        tag_report(predicted)
    with pytest.raises(ValueError, match="gold sentences"):
        evaluate_spans(gold=[[]], predicted=[])


def test_reports_become_plain_json():
    spans = evaluate_spans(gold=[[("PER", 0, 1)]], predicted=[[("PER", 0, 1)]])
    loaded = json.loads(json.dumps({"tags": tag_report().as_dict(), "spans": spans.as_dict()}))
    assert loaded["tags"]["unknown_words"] == {"accuracy": 0.0, "correct": 0, "total": 2}
    assert loaded["spans"]["micro"]["f1"] == 1.0


tag_pairs = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("ABC")), min_size=1)


@given(tag_pairs)
def test_the_diagonal_of_the_confusion_is_the_accuracy(pairs):
    gold, predicted = [[a for a, _ in pairs]], [[b for _, b in pairs]]
    report = evaluate_tags(words=gold, gold=gold, predicted=predicted, known_words={"A"})
    confusion = confuse(gold, predicted)
    assert np.trace(confusion.counts) == report.overall.correct
    assert report.known.correct + report.unknown.correct == report.overall.correct
    assert sum(score.support for score in report.by_tag.values()) == report.overall.total == len(pairs)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_f1_is_the_harmonic_mean(correct, wrong, missed):
    score = Score(correct=correct, predicted=correct + wrong, support=correct + missed)
    total = score.precision + score.recall
    assert score.f1 == pytest.approx(2 * score.precision * score.recall / total if total else 0.0)

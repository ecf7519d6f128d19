"""The classifier over a fake session, whose every answer is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from msgspec import UNSET

from service.bundle import MANIFEST, VOCABULARIES, load_bundle, write_manifest
from service.errors import BundleError, InputTooLongError, InvalidRequestError
from service.predictors.classifier import ClassifiedRow, Classifier, ClassifyExample
from service.text.pipeline import pad
from tests.fakes import (
    CLASSIFIER,
    LABELS,
    MAX_TOKENS,
    MULTI_LABELS,
    FakeMultiLabel,
    FakeSession,
    chosen_of,
    classifier_manifest,
    multi_label_manifest,
    probabilities_of,
    probability_of,
    write_classifier,
    write_multi_label,
)


@pytest.fixture
def classifier(tmp_path) -> Classifier:
    return Classifier(load_bundle(write_classifier(tmp_path)), FakeSession())


def classify(classifier, *texts):
    return classifier.run(pad([classifier.encode(text).ids for text in texts]))


def test_a_text_gets_its_label_and_the_scores_of_all(classifier):
    good, bad = classify(classifier, "An exciting plot!", "boring")
    positive = probability_of("exciting plot")
    assert good == ClassifiedRow(
        label="positive",
        score=pytest.approx(positive),
        labels=LABELS,
        scores=(pytest.approx(1 - positive), pytest.approx(positive)),
    )
    assert (bad.label, bad.score) == ("negative", pytest.approx(1 - probability_of("boring")))


def test_scores_sum_to_one_where_the_graph_s_do_not_quite(tmp_path):
    class Rounding(FakeSession):
        def run(self, inputs):
            return {name: values + np.float32(1e-4) for name, values in super().run(inputs).items()}

    rough = Classifier(load_bundle(write_classifier(tmp_path)), Rounding())
    [row] = classify(rough, "good")
    assert sum(row.scores) == pytest.approx(1, abs=1e-12)


def test_a_text_of_the_longest_length_passes_and_one_longer_only_in_part(classifier):
    longest, longer = "good " * MAX_TOKENS, "good " * (MAX_TOKENS + 1)
    assert not classifier.encode(longest).truncated
    with pytest.raises(InputTooLongError, match=f"{MAX_TOKENS + 1} tokens.*at most {MAX_TOKENS}"):
        classifier.encode(longer)
    beginning = classifier.encode_beginning(longer)
    assert beginning.truncated
    assert beginning.ids.tolist() == classifier.encode(longest).ids.tolist()
    assert not classifier.encode_beginning(longest).truncated


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0\u2003"])
def test_a_text_without_words_is_refused(classifier, text):
    for encode in (classifier.encode, classifier.encode_beginning):
        with pytest.raises(InvalidRequestError, match="no word"):
            encode(text)


@pytest.mark.parametrize(
    "damage",
    [
        {"limits": {}},
        {"labels": {}},
        {"labels": {"label": ["one"]}},
        {"labels": {"label": ["one", "one"]}},
        {"multi_label": True},
        {"thresholds": {"negative": 0.5, "positive": 0.5}},
        {"multi_label": True, "thresholds": {}},
        {"multi_label": True, "thresholds": {"negative": 0.5}},
        {"multi_label": True, "thresholds": {"negative": 0.5, "positive": 0.5, "strong": 0.5}},
        {"multi_label": True, "thresholds": {"negative": 0.5, "positive": 0.5}, "groups": {"any": ["negative"]}},
        {"groups": {}},
        {"groups": {"any": []}},
        {"groups": {"any": ["negative", "neutral"]}},
        {"groups": {"any": ["negative", "negative"]}},
        {"groups": {"any": ["negative"], "other": ["positive", "negative"]}},
    ],
)
def test_a_manifest_that_lacks_what_a_classifier_needs_is_named(tmp_path, damage):
    folder = write_classifier(tmp_path)
    write_manifest(folder, classifier_manifest(CLASSIFIER) | damage)
    with pytest.raises(BundleError, match=f"{MANIFEST}: not the manifest of a classifier"):
        Classifier(load_bundle(folder), FakeSession())


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), float("inf"), None, "high"])
def test_a_threshold_that_is_no_probability_is_named(tmp_path, threshold):
    folder = write_multi_label(tmp_path)
    content = json.loads((folder / MANIFEST).read_text())
    content["thresholds"]["strong"] = threshold
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(BundleError, match=f"{MANIFEST}: thresholds.strong: "):
        load_bundle(folder)


def test_a_multi_label_classifier_chooses_what_reaches_its_threshold_best_first(tmp_path):
    several = Classifier(load_bundle(write_multi_label(tmp_path)), FakeMultiLabel(FakeSession()))
    texts = ["exciting exciting bad", "plot", "boring", "good bad"]
    for text, row in zip(texts, classify(several, *texts), strict=True):
        scores = probabilities_of(text)
        assert row.scores == pytest.approx(tuple(scores.values()))
        assert list(row.chosen) == chosen_of(text)
        assert (row.label, row.score) == (max(scores, key=scores.__getitem__), max(row.scores))
        assert row.group is UNSET


def test_a_score_that_is_its_threshold_reaches_it(tmp_path):
    folder = write_multi_label(tmp_path)
    write_manifest(folder, multi_label_manifest() | {"thresholds": dict.fromkeys(MULTI_LABELS, 1.0)})
    [row] = classify(Classifier(load_bundle(folder), Scored(0.9, 1.0, 1.0)), "well")
    assert row.chosen == MULTI_LABELS[1:]


def test_the_chosen_labels_of_an_example_are_compared_in_any_order(tmp_path):
    several = Classifier(load_bundle(write_multi_label(tmp_path)), FakeMultiLabel(FakeSession()))
    [row] = classify(several, "boring")

    def difference(labels):
        scores = probabilities_of("boring")
        return several.difference(ClassifyExample("boring", row.label, scores, labels), row, 1e-5)

    assert difference(None) == difference(["strong", "negative"]) == ""
    assert difference(["strong"]) == "chosen are negative, strong, expected strong"


class Scored:
    """A session whose every row has the same probabilities."""

    def __init__(self, *scores):
        self.scores = np.log(np.array(scores, np.float32))

    def run(self, inputs):
        return {"log_probabilities": np.tile(self.scores, (len(inputs["ids"]), 1))}


@pytest.mark.parametrize(
    ("scores", "label", "group"),
    [
        ((0.4, 0.25, 0.3, 0.05), "a", "second"),
        ((0.4, 0.1, 0.1, 0.4), "a", "first"),
        ((0.2, 0.2, 0.1, 0.5), "d", None),
    ],
)
def test_the_group_has_the_highest_sum_and_none_is_less_than_a_label_without_one(tmp_path, scores, label, group):
    folder = write_classifier(tmp_path)
    labels = {"labels": {"label": ["a", "b", "c", "d"]}, "groups": {"first": ["a"], "second": ["b", "c"]}}
    write_manifest(folder, classifier_manifest(CLASSIFIER) | labels)
    [row] = classify(Classifier(load_bundle(folder), Scored(*scores)), "good")
    assert (row.label, row.group) == (label, group)


@pytest.mark.parametrize("content", ["no JSON", "[]", "{}", json.dumps({"words": ["<pad>", "<unk>", "good"]})])
def test_vocabularies_that_are_none_are_named(tmp_path, content):
    folder = write_classifier(tmp_path)
    (folder / VOCABULARIES).write_text(content)
    write_manifest(folder, classifier_manifest(CLASSIFIER))
    with pytest.raises(BundleError, match=f"{VOCABULARIES}: not the vocabularies of a classifier"):
        Classifier(load_bundle(folder), FakeSession())

"""The classifier over a fake session, whose every answer is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from service.bundle import MANIFEST, VOCABULARIES, load_bundle, write_manifest
from service.errors import BundleError, InputTooLongError, InvalidRequestError
from service.predictors.classifier import ClassifiedRow, Classifier
from service.text.batch import pad
from tests.fakes import (
    CLASSIFIER,
    LABELS,
    MAX_TOKENS,
    FakeSession,
    classifier_manifest,
    probability_of,
    write_classifier,
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
    [{"limits": {}}, {"labels": {}}, {"labels": {"label": ["one"]}}, {"labels": {"label": ["one", "one"]}}],
)
def test_a_manifest_that_lacks_what_a_classifier_needs_is_named(tmp_path, damage):
    folder = write_classifier(tmp_path)
    write_manifest(folder, classifier_manifest(CLASSIFIER) | damage)
    with pytest.raises(BundleError, match=f"{MANIFEST}: not the manifest of a classifier"):
        Classifier(load_bundle(folder), FakeSession())


@pytest.mark.parametrize("content", ["no JSON", "[]", "{}", json.dumps({"words": ["<pad>", "<unk>", "good"]})])
def test_vocabularies_that_are_none_are_named(tmp_path, content):
    folder = write_classifier(tmp_path)
    (folder / VOCABULARIES).write_text(content)
    write_manifest(folder, classifier_manifest(CLASSIFIER))
    with pytest.raises(BundleError, match=f"{VOCABULARIES}: not the vocabularies of a classifier"):
        Classifier(load_bundle(folder), FakeSession())

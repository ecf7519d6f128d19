"""Which models are measured, and that what the service answers is what was sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.client import text_request
from bench.model import MODELS, Model, choose, open_model
from service.errors import BundleError, SettingsError
from service.models.loading import OPENERS
from service.text.pipeline import pad
from tests.fakes import CLASSIFIER, NAME, lexicon_graph, sentiment_graph, write_bundle, write_classifier


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    write_bundle(tmp_path, graph=lexicon_graph())
    write_classifier(tmp_path, graph=sentiment_graph())
    write_classifier(tmp_path, name="zz-other", graph=sentiment_graph(), default=True)
    return tmp_path


def model_named(name: str, models_dir: Path) -> Model:
    return open_model(choose(models_dir, name=name)[0])


def result(**changes: Any) -> dict[str, Any]:
    return {"label": "positive", "scores": {"negative": 0.25, "positive": 0.75}, "truncated": False} | changes


def test_every_task_can_be_measured() -> None:
    assert set(MODELS) == set(OPENERS)


def test_the_default_of_every_task_is_measured_or_the_one_that_is_named(models_dir: Path) -> None:
    assert [bundle.manifest.name for bundle in choose(models_dir)] == [NAME, "zz-other"]
    assert [bundle.manifest.name for bundle in choose(models_dir, name=CLASSIFIER)] == [CLASSIFIER]


def test_an_unknown_model_or_precision_is_said(models_dir: Path) -> None:
    with pytest.raises(BundleError, match=f"no bundle 'nobody'; known: .*{NAME}"):
        choose(models_dir, name="nobody")
    with pytest.raises(SettingsError, match="fp4"):
        choose(models_dir, precision="fp4")


def test_a_tagger_has_a_row_a_sentence_and_a_classifier_one_a_text(models_dir: Path) -> None:
    text = "Alice plays well. Paris plays with others."
    tagger, classifier = model_named(NAME, models_dir), model_named(CLASSIFIER, models_dir)
    assert [len(row) for row in tagger.rows_of(text)] == [4, 5]
    assert [len(row) for row in classifier.rows_of(text)] == [9]
    for model in (tagger, classifier):
        model.run(pad(model.rows_of(text)))


def test_the_service_is_told_which_model_answers(models_dir: Path) -> None:
    tagger, classifier = model_named(NAME, models_dir), model_named(CLASSIFIER, models_dir)
    assert (tagger.path, tagger.default_variable) == ("/tag", "RIBBON_DEFAULT_TAGGER")
    assert (classifier.path, classifier.default_variable) == ("/classify", "RIBBON_DEFAULT_CLASSIFIER")


def test_tokens_that_are_not_the_words_sent_are_wrong(models_dir: Path) -> None:
    tagger = model_named(NAME, models_dir)
    request = text_request("/tag", ["plays well"], num_words=2)
    assert tagger.what_is_wrong([{"sentences": [{"tokens": [{}, {}]}]}], request) == ""
    assert "2 words sent, 1 tokens back" in tagger.what_is_wrong([{"sentences": [{"tokens": [{}]}]}], request)


@pytest.mark.parametrize(
    ("results", "wrong"),
    [
        ([result(), result(label="negative")], ""),
        ([result()], "2 texts sent, 1 results back"),
        ([result(), result(label="joy")], "other labels"),
        ([result(), result(scores={"positive": 1.0})], "other labels"),
        ([result(), result(truncated=True)], "truncated"),
    ],
)
def test_results_that_are_not_of_the_texts_sent_are_wrong(
    models_dir: Path, results: list[dict[str, Any]], wrong: str
) -> None:
    request = text_request("/classify", ["good", "bad"], num_words=2)
    found = model_named(CLASSIFIER, models_dir).what_is_wrong(results, request)
    assert wrong in found
    assert bool(found) == bool(wrong)

"""Examples are answered again at loading, whatever the task: a wrong one is named, and so is a file that is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.bundle import EXAMPLES, load_bundle, write_manifest
from service.errors import BundleError
from service.predictors.classifier import Classifier
from service.predictors.predictor import replay
from service.predictors.tagger import Tagger
from service.predictors.translator import Translator
from service.runtime.session import OnnxSession
from tests.fakes import (
    GRAPH,
    MAX_TOKENS,
    FakeEncoder,
    FakeSession,
    FakeStep,
    classified,
    classifier_manifest,
    example,
    lexicon_graph,
    manifest,
    translated,
    translator_manifest,
    write_bundle,
    write_classifier,
    write_translator,
)


@dataclass(frozen=True, kw_only=True)
class Task:
    """How a task's bundle is made, and two examples of it that are good."""

    predictor: Callable[..., Any]
    write: Callable[[Path], Path]
    manifest: Callable[[str], dict[str, Any]]
    good: tuple[dict[str, Any], dict[str, Any]]

    def load(self, models_dir: Path, content: str | bytes) -> tuple[Any, Any]:
        """A bundle with these examples, its checksums in order."""
        folder = self.write(models_dir)
        (folder / EXAMPLES).write_bytes(content if isinstance(content, bytes) else content.encode())
        write_manifest(folder, self.manifest(folder.name))
        bundle = load_bundle(folder)
        return self.predictor(bundle, FakeSession()), bundle


TAG = Task(
    predictor=Tagger,
    write=write_bundle,
    manifest=manifest,
    good=(example("Alice", "plays", "with", "Paris"), example("others")),
)
CLASSIFY = Task(
    predictor=Classifier,
    write=write_classifier,
    manifest=classifier_manifest,
    good=(classified("exciting good plot"), classified("bad plot")),
)
TRANSLATE = Task(
    predictor=lambda bundle, session: Translator(bundle, encoder=FakeEncoder(session), step=FakeStep(session)),
    write=write_translator,
    manifest=translator_manifest,
    good=(translated("It is at http://a.b"), translated("No")),
)
each = pytest.mark.parametrize("task", [TAG, CLASSIFY, TRANSLATE], ids=["tag", "classify", "translate"])


def test_examples_are_answered_in_a_batch_and_alone(tmp_path):
    session, bundle = FakeSession(), load_bundle(write_bundle(tmp_path))
    replay(Tagger(bundle, session), bundle, precision="fp32")
    assert session.shapes == [(1, 4, 8), (1, 4, 8)]


@pytest.mark.parametrize(
    ("task", "damage", "message"),
    [
        (TAG, {"upos": ["VERB"]}, "upos is NOUN, expected VERB"),
        (TAG, {"xpos": ["VB"]}, "xpos is NN, expected VB"),
        (TAG, {"entity": ["S-PER"]}, "entity is O, expected S-PER"),
        (TAG, {"upos": ["NOUN", "NOUN"]}, "upos is NOUN, expected NOUN NOUN"),
        (TAG, {"scores": [0.5]}, "0 scores, expected 1"),
        (CLASSIFY, {"label": "positive"}, "label is negative, expected positive"),
        (CLASSIFY, {"scores": {"negative": 1.0}}, "labels are negative, positive, expected negative"),
        (CLASSIFY, {"scores": {"negative": 0.6, "positive": 0.4}}, r"a score is off by 0\.1\d+, more than 1e-05"),
        (TRANSLATE, {"translation": "No"}, "translation is 'Ab', expected 'No'"),
        (TRANSLATE, {"score": -1.0}, r"a score is off by 0\.8\d+, more than 1e-05"),
    ],
)
def test_an_answer_that_differs_is_named_with_its_example(tmp_path, task, damage, message):
    predictor, bundle = task.load(tmp_path, json.dumps([task.good[0], task.good[1] | damage]))
    with pytest.raises(BundleError, match=f"{EXAMPLES}: example 1 in a batch: .*{message}"):
        replay(predictor, bundle, precision="fp32")


def test_a_score_may_drift_as_far_as_the_manifest_says(tmp_path):
    near, far = (TAG.good[0] | {"scores": [0.9 + by, 0.9]} for by in (5e-6, 1e-3))
    replay(*TAG.load(tmp_path / "near", json.dumps([near])), precision="fp32")
    with pytest.raises(BundleError, match=r"example 0 in a batch: a score is off by 0\.0010, more than 1e-05"):
        replay(*TAG.load(tmp_path / "far", json.dumps([far])), precision="fp32")


def test_a_score_that_is_no_number_is_off(tmp_path):
    class Broken(FakeSession):
        def run(self, inputs):
            return {name: values * float("nan") for name, values in super().run(inputs).items()}

    bundle = load_bundle(write_classifier(tmp_path))
    with pytest.raises(BundleError, match="example 0 in a batch"):
        replay(Classifier(bundle, Broken()), bundle, precision="fp32")


def test_a_graph_of_another_task_is_named(tmp_path):
    bundle = load_bundle(write_classifier(tmp_path, graph=lexicon_graph()))
    session = OnnxSession(bundle.graph())
    with pytest.raises(BundleError, match=f"{GRAPH}: cannot answer the examples .*Invalid rank"):
        replay(Classifier(bundle, session), bundle, precision="fp32")


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (lambda found: {"logits": found["log_probabilities"]}, "KeyError: 'log_probabilities'"),
        (lambda found: {"log_probabilities": np.repeat(found["log_probabilities"], 2, axis=1)[:, ::-1]}, "IndexError"),
    ],
)
def test_a_graph_of_other_outputs_is_named(tmp_path, outputs, message):
    class Other(FakeSession):
        def run(self, inputs):
            return outputs(super().run(inputs))

    bundle = load_bundle(write_classifier(tmp_path))
    with pytest.raises(BundleError, match=f"{GRAPH}: cannot answer the examples .*{message}"):
        replay(Classifier(bundle, Other()), bundle, precision="fp32")


@each
@pytest.mark.parametrize(
    ("content", "message"),
    [("[", "truncated"), ("{}", "Expected `array`"), ("[]", "no example"), (b'["\xff"]', ".")],
)
def test_examples_that_cannot_be_read_are_named(tmp_path, task, content, message):
    refused(tmp_path, task, content, message)


@pytest.mark.parametrize(
    ("task", "damage", "message"),
    [
        (TAG, {"tokens": []}, "without tokens"),
        (TAG, {"tokens": ["plays"] * (MAX_TOKENS + 1)}, f"at most {MAX_TOKENS}"),
        (TAG, {"colour": "red"}, "unknown field `colour`"),
        (CLASSIFY, {"text": " "}, "no word"),
        (CLASSIFY, {"text": "good " * (MAX_TOKENS + 1)}, f"at most {MAX_TOKENS}"),
        (CLASSIFY, {"colour": "red"}, "unknown field `colour`"),
        (TRANSLATE, {"target": "fr"}, "from en to fr, which it does not translate"),
        (TRANSLATE, {"colour": "red"}, "unknown field `colour`"),
    ],
)
def test_an_example_that_is_none_is_named(tmp_path, task, damage, message):
    refused(tmp_path, task, json.dumps([task.good[0] | damage]), message)


def refused(models_dir: Path, task: Task, content: str | bytes, message: str) -> None:
    predictor, bundle = task.load(models_dir, content)
    with pytest.raises(BundleError, match=f"{EXAMPLES}: .*{message}"):
        replay(predictor, bundle, precision="fp32")

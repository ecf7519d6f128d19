from __future__ import annotations

import json

import pytest

from service.bundle import EXAMPLES, load_bundle, write_manifest
from service.errors import BundleError
from service.predictors.replay import replay
from service.predictors.tagger import Tagger
from tests.fakes import MAX_TOKENS, NAME, FakeSession, example, manifest, write_bundle

GOOD = (example("Alice", "plays", "with", "Paris"), example("others"))


def load(tmp_path, content: str | bytes) -> tuple[Tagger, object]:
    """A bundle with these examples, its checksums in order."""
    folder = write_bundle(tmp_path)
    (folder / EXAMPLES).write_bytes(content if isinstance(content, bytes) else content.encode())
    write_manifest(folder, manifest(NAME))
    bundle = load_bundle(folder)
    return Tagger(bundle, FakeSession()), bundle


def test_examples_are_answered_in_a_batch_and_alone(tmp_path):
    session, bundle = FakeSession(), load_bundle(write_bundle(tmp_path))
    replay(Tagger(bundle, session), bundle, precision="fp32")
    assert session.shapes == [(1, 4, 8), (1, 4, 8)]


def test_good_examples_pass(tmp_path):
    replay(*load(tmp_path, json.dumps(GOOD)), precision="fp32")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"upos": ["VERB"]}, "upos is NOUN, expected VERB"),
        ({"xpos": ["VB"]}, "xpos is NN, expected VB"),
        ({"entity": ["S-PER"]}, "entity is O, expected S-PER"),
        ({"upos": ["NOUN", "NOUN"]}, "upos is NOUN, expected NOUN NOUN"),
        ({"scores": [0.5]}, "0 scores, expected 1"),
    ],
)
def test_an_answer_that_differs_is_named_with_its_example(tmp_path, damage, message):
    tagger, bundle = load(tmp_path, json.dumps([GOOD[0], GOOD[1] | damage]))
    with pytest.raises(BundleError, match=f"{EXAMPLES}: example 1 in a batch: .*{message}"):
        replay(tagger, bundle, precision="fp32")


def test_a_score_may_drift_as_far_as_the_manifest_says(tmp_path):
    near, far = (GOOD[0] | {"scores": [0.9 + by, 0.9]} for by in (5e-6, 1e-3))
    replay(*load(tmp_path / "near", json.dumps([near])), precision="fp32")
    with pytest.raises(BundleError, match=r"example 0 in a batch: a score is off by 0\.0010, more than 1e-05"):
        replay(*load(tmp_path / "far", json.dumps([far])), precision="fp32")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "truncated"),
        ("{}", "Expected `array`"),
        ("[]", "no example"),
        (b'["\xff"]', "."),
        (json.dumps([GOOD[0] | {"tokens": []}]), "without tokens"),
        (json.dumps([GOOD[0] | {"tokens": ["plays"] * (MAX_TOKENS + 1)}]), f"at most {MAX_TOKENS}"),
        (json.dumps([GOOD[0] | {"colour": "red"}]), "unknown field `colour`"),
    ],
)
def test_examples_that_cannot_be_read_are_named(tmp_path, content, message):
    tagger, bundle = load(tmp_path, content)
    with pytest.raises(BundleError, match=f"{EXAMPLES}: .*{message}"):
        replay(tagger, bundle, precision="fp32")

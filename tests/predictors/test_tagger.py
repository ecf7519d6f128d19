"""The tagger over a fake session, whose every answer is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from service.bundle import MANIFEST, VOCABULARIES, load_bundle, write_manifest
from service.errors import BundleError, InputTooLongError
from service.predictors.tagger import ScoredSpan, Tagger, score_spans
from service.text.batch import pad
from service.text.tokenizer import join_words
from tests.fakes import CONFIDENCE, MAX_TOKENS, NAME, FakeSession, manifest, write_bundle


@pytest.fixture
def tagger(tmp_path) -> Tagger:
    return Tagger(load_bundle(write_bundle(tmp_path)), FakeSession())


def tag(tagger, *texts):
    return tagger.run(pad([tagger.encode(join_words(text.split())[1]).ids for text in texts]))


def test_every_word_gets_its_tags(tagger):
    (row,) = tag(tagger, "Alice plays with zyx")
    assert row.upos == ["NOUN", "VERB", "ADP", "X"]
    assert row.xpos == ["NN", "VBZ", "IN", "FW"]
    assert row.entity == ["S-PER", "O", "O", "O"]
    assert row.spans == [ScoredSpan("PER", 0, 1, pytest.approx(CONFIDENCE))]


def test_a_row_is_as_long_as_its_sentence_whatever_the_longest(tagger):
    short, long = tag(tagger, "plays", "Alice plays in Hong Kong with others")
    assert short.upos == ["VERB"]
    assert short.spans == []
    assert [(span.label, span.start, span.end) for span in long.spans] == [("PER", 0, 1), ("LOC", 3, 5)]


def test_entities_are_legal_where_the_graph_s_favourites_are_not(tagger):
    for row in tag(tagger, "Hong", "Kong", "Kong Hong Alice", "Hong plays Kong"):
        assert all(tag not in ("B-LOC", "E-LOC") for tag in row.entity)


def test_a_sentence_of_the_longest_length_passes_and_one_longer_does_not(tagger):
    tag(tagger, "plays " * MAX_TOKENS)
    with pytest.raises(InputTooLongError, match=f"{MAX_TOKENS + 1} tokens.*at most {MAX_TOKENS}"):
        tag(tagger, "plays " * (MAX_TOKENS + 1))
    assert tagger.max_tokens == MAX_TOKENS


def test_a_span_s_score_is_the_mean_probability_of_its_tags():
    spans = score_spans(["B-LOC", "E-LOC", "O"], np.log(np.array([0.5, 0.75, 0.1], np.float32)))
    assert spans == [ScoredSpan("LOC", 0, 2, pytest.approx(0.625))]


@pytest.mark.parametrize(
    "damage",
    [
        {"features": {}},
        {"limits": {}},
        {"labels": {"upos": ["X"], "xpos": ["X"]}},
        {"labels": {"upos": ["X"], "xpos": ["X"], "entity": ["B-PER"]}},
    ],
)
def test_a_manifest_that_lacks_what_a_tagger_needs_is_named(tmp_path, damage):
    folder = write_bundle(tmp_path)
    write_manifest(folder, manifest(NAME) | damage)
    with pytest.raises(BundleError, match=f"{MANIFEST}: not the manifest of a tagger"):
        Tagger(load_bundle(folder), FakeSession())


@pytest.mark.parametrize("content", ["no JSON", "[]", "{}", json.dumps({"words": ["<pad>", "<unk>", "<mask>"]})])
def test_vocabularies_that_are_none_are_named(tmp_path, content):
    folder = write_bundle(tmp_path)
    (folder / VOCABULARIES).write_text(content)
    write_manifest(folder, manifest(NAME))
    with pytest.raises(BundleError, match=f"{VOCABULARIES}: not the vocabularies of a tagger"):
        Tagger(load_bundle(folder), FakeSession())

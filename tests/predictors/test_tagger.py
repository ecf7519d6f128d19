"""Sentences to rows, logits to legal tags and spans."""

from __future__ import annotations

import json
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from service.bundle import MANIFEST, VOCABULARIES, load_bundle, write_manifest
from service.errors import BundleError
from service.predictors.tagger import ScoredSpan, Tagger, best_legal_path, decode_legal, score_spans
from service.text.pipeline import pad
from service.text.spans import bioes_tags, legal_transitions, spans_of, tags_of
from service.text.tokenizer import join_words
from tests.fakes import CONFIDENCE, NAME, FakeSession, manifest, write_bundle


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


TAGS = bioes_tags(("PER", "LOC"))
LEGAL = legal_transitions(TAGS)
# Sixteenths add up exactly, so that equal sums are equal whatever the order of their terms.
SCORES = st.integers(-160, 160).map(lambda value: np.float32(value / 16))


def score_arrays(*, max_length: int):
    shapes = st.tuples(st.integers(1, max_length), st.just(len(TAGS)))
    return shapes.flatmap(lambda shape: arrays.arrays(np.float32, shape, elements=SCORES))


def total(scores, path) -> float:
    return float(scores[np.arange(len(path)), list(path)].sum())


def is_legal(path) -> bool:
    steps = [len(TAGS), *path, len(TAGS)]
    return all(LEGAL[i, j] for i, j in pairwise(steps))


@given(score_arrays(max_length=4))
def test_the_best_path_is_legal_and_no_legal_one_beats_it(scores):
    path = best_legal_path(scores, LEGAL)
    everything = product(range(len(TAGS)), repeat=len(scores))
    assert is_legal(path)
    assert total(scores, path) == max(total(scores, other) for other in everything if is_legal(other))


@given(st.lists(score_arrays(max_length=9), min_size=1, max_size=5), st.integers(0, 3), SCORES)
def test_every_row_of_a_batch_is_decoded_as_if_alone_whatever_lies_behind_it(rows, extra, filler):
    lengths = np.array([len(row) for row in rows], np.int32)
    batch = np.full((len(rows), lengths.max() + extra, len(TAGS)), filler, np.float32)
    batch[:, :, 2] += 3  # padding that would make an illegal sequence, were it read
    for target, row in zip(batch, rows, strict=True):
        target[: len(row)] = row
    paths = decode_legal(batch, lengths, LEGAL)
    assert paths.shape == batch.shape[:2]
    for path, row in zip(paths, rows, strict=True):
        found = path[: len(row)]
        tags = [TAGS[i] for i in found]
        assert tags_of(spans_of(tags), len(tags)) == tags
        assert total(row, found) == total(row, best_legal_path(row, LEGAL))
        assert found.tolist() == decode_legal(row[None], np.array([len(row)], np.int32), LEGAL)[0].tolist()


def test_the_best_tags_stand_where_they_are_legal_already():
    scores = np.eye(len(TAGS), dtype=np.float32)[[0, 1, 3, 0]]  # O B-PER E-PER O
    assert decode_legal(scores[None], np.array([4], np.int32), LEGAL).tolist() == [[0, 1, 3, 0]]


def test_an_illegal_best_gives_way_to_the_next_best():
    scores = np.zeros((2, len(TAGS)), np.float32)
    scores[0, TAGS.index("I-PER")] = 5
    scores[0, TAGS.index("B-PER")] = 4
    scores[1, TAGS.index("E-PER")] = 5
    path = decode_legal(scores[None], np.array([2], np.int32), LEGAL)[0]
    assert [TAGS[i] for i in path] == ["B-PER", "E-PER"]

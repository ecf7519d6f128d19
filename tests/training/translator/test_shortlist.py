"""Lexical shortlists: what is learned from pairs, the encoder's lists, and steps that compute these lists alone."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

import numpy as np

from service.decoding.beam_search import search_all
from service.decoding.search import Search
from service.predictors.graphs import TranslationGraphs
from service.text.subwords import EOS_ID, PAD_ID
from tests.training.tiny_translator import VOCABULARY, translator
from training.export import GRAPHS, TOLERANCE, round_weights
from training.translator.bundle_start import state_of_bundle
from training.translator.export import TranslatorSessions, random_batch, run_step, write_translator
from training.translator.graphs import COLUMNS, SHORTLIST
from training.translator.shortlist import NUM_EACH, Shortlist, learn_shortlist

SPANISH, GERMAN = 4, 5  # tags
WORDS = range(6, 22)
SIZE = 12
PRECISIONS = tuple(GRAPHS)


def pairs_of(shift: int):
    """Pairs in which a word is translated by the one so many places after it, the order turned round."""
    rng = np.random.default_rng(shift)
    sources = [rng.permutation(WORDS)[:4].tolist() for _ in range(200)]
    return [(source, [translated(word, shift) for word in reversed(source)]) for source in sources]


def translated(word: int, shift: int) -> int:
    return 6 + (word - 6 + shift) % len(WORDS)


@pytest.fixture(scope="module")
def shortlist() -> Shortlist:
    rows = {SPANISH: pairs_of(3), GERMAN: pairs_of(7)}
    return learn_shortlist(rows, VOCABULARY, size=SIZE, num_frequent=0)


@pytest.fixture(scope="module")
def exported(tmp_path_factory, shortlist):
    folder, network = tmp_path_factory.mktemp("listed"), translator()
    round_weights(network)
    assert write_translator(network, folder, PRECISIONS, shortlist) < TOLERANCE
    return folder


@pytest.fixture(params=PRECISIONS)
def sessions(exported, request) -> TranslatorSessions:
    return TranslatorSessions.open(exported, request.param)


def tagged(shape, seed):
    """A random batch whose rows begin with a tag."""
    batch = random_batch(shape, VOCABULARY, seed)
    batch.ids[:, 0] = np.where(np.arange(shape[0]) % 2, SPANISH, GERMAN)
    return batch


def encode(sessions, batch):
    return dict(sessions.encoder.run({"ids": batch.ids, "lengths": batch.lengths}))


def some_rows(count: int, num_sources: int, seed: int):
    rng = np.random.default_rng(seed)
    return dict(
        tokens=rng.integers(1, VOCABULARY, count).astype(np.int32),
        state=np.tanh(rng.normal(size=(count, 20))).astype(np.float32),
        sources=rng.integers(0, num_sources, count).astype(np.int32),
    )


@pytest.mark.parametrize(("tag", "shift"), [(SPANISH, 3), (GERMAN, 7)])
def test_a_words_translation_in_each_language_is_its_first(shortlist, tag, shift):
    rows = shortlist.rows[shortlist.languages[tag]]
    found = [int(shortlist.translations[rows[word], 0]) for word in WORDS]
    assert found == [translated(word, shift) for word in WORDS]


def test_a_list_has_the_source_its_translations_and_the_end_but_no_padding(shortlist):
    name = 39  # was in no pair
    listed = shortlist.list_of([SPANISH, 8, name, EOS_ID])
    assert {8, name, translated(8, 3), EOS_ID} <= listed
    assert PAD_ID not in listed
    assert len(listed) == SIZE


def test_frequent_subwords_are_on_every_list():
    always = learn_shortlist({SPANISH: pairs_of(3)}, VOCABULARY, size=SIZE, num_frequent=5)
    shared = set.intersection(*(always.list_of([SPANISH, word, EOS_ID]) for word in WORDS))
    assert len(shared) >= 6
    assert always.translations.shape[1] == NUM_EACH


def test_the_encoder_lists_what_is_told(sessions, shortlist):
    batch = tagged((8, 9), 0)
    found = encode(sessions, batch)[SHORTLIST]
    for ids, length, listed in zip(batch.ids, batch.lengths, found, strict=True):
        source = ids[:length].tolist()
        assert len(set(listed.tolist())) == SIZE
        # Of subwords of the same priority either may be the last of the list.
        assert len(shortlist.list_of(source) - set(listed.tolist())) <= 2
        assert {*source, EOS_ID} - {PAD_ID} <= set(listed.tolist()) or len(set(source)) > SIZE - 4


def test_a_source_has_the_same_list_alone_and_in_any_batch(sessions):
    batch = tagged((9, 12), 1)
    together = encode(sessions, batch)
    for place, length in enumerate(batch.lengths):
        ids = batch.ids[place : place + 1, :length]
        alone = sessions.encoder.run({"ids": ids, "lengths": batch.lengths[place : place + 1]})
        for name in (SHORTLIST, COLUMNS):
            assert np.array_equal(alone[name][0], together[name][place])


def test_a_row_of_a_list_hangs_on_nothing_but_itself_to_the_last_bit(sessions):
    batch = tagged((7, 16), 3)
    encoded, rows = encode(sessions, batch), some_rows(70, 7, 0)
    whole = run_step(sessions.step, encoded, batch.lengths, **rows)
    for count in (*range(1, 18), 31, 33, 64):
        chosen = np.random.default_rng(count).permutation(70)[:count]
        part = {name: values[chosen] for name, values in rows.items()}
        for output, values in run_step(sessions.step, encoded, batch.lengths, **part).items():
            assert np.array_equal(values, whole[output][chosen]), (count, output)
    for place in range(7):
        mine = rows["sources"] == place
        part = {name: values[mine] for name, values in rows.items()} | {"sources": np.zeros(mine.sum(), np.int32)}
        memory = {name: values[place : place + 1] for name, values in encoded.items()}
        for output, values in run_step(sessions.step, memory, batch.lengths[place : place + 1], **part).items():
            assert np.array_equal(values, whole[output][mine]), (place, output)


def test_candidates_are_those_of_the_list_whose_probabilities_sum_to_one(sessions):
    batch = tagged((5, 8), 4)
    encoded, rows = encode(sessions, batch), some_rows(20, 5, 1)
    found = run_step(sessions.step, encoded, batch.lengths, **rows, num_candidates=VOCABULARY)
    assert np.exp(found["scores"]).sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert (np.sort(found["candidates"]) == np.sort(encoded[SHORTLIST][rows["sources"]])).all()


class Pieces:
    """Subwords that spell their numbers."""

    def __len__(self) -> int:
        return VOCABULARY

    def decode(self, ids) -> str:
        return " ".join(map(str, ids))


def test_whole_searches_are_the_same_alone_and_together(sessions):
    graphs = TranslationGraphs(encoder=sessions.encoder, step=sessions.step, subwords=Pieces())
    batch = tagged((12, 20), 5)
    searches = [
        Search(ids=ids[:length], beam_size=1 + place % 5, num_hypotheses=1, max_tokens=30)
        for place, (ids, length) in enumerate(zip(batch.ids, batch.lengths, strict=True))
    ]
    for search, (together, *_) in zip(searches, search_all(graphs, searches), strict=True):
        [[alone]] = search_all(graphs, [search])
        assert (alone.ids, alone.score) == (together.ids, together.score)
        assert np.array_equal(alone.attention, together.attention)


def test_training_can_start_from_a_bundle_with_a_shortlist(exported):
    translator(seed=2).load_state_dict(state_of_bundle(exported), strict=True)

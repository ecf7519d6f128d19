"""Translating a sentence: what goes to the network, what round it, and what comes back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.bundle import MANIFEST, SUBWORDS, load_bundle, write_manifest
from service.errors import BundleError, InputTooLongError
from service.predictors.predictor import Bounds
from service.predictors.translation import Pair, Wish
from service.predictors.translator import Translator
from service.scheduling.search import Hypothesis
from service.text.subwords import EOS_ID, PLACEHOLDER
from tests.fakes import (
    MAX_SOURCE_TOKENS,
    MAX_TARGET_TOKENS,
    TRANSLATOR,
    FakeEncoder,
    FakeSession,
    FakeStep,
    translator_manifest,
    write_translator,
)
from tests.letters import SCORE, subwords

WISH = Wish(pair=Pair("en", "es"))
FITS = MAX_SOURCE_TOKENS - 3  # letters of one word: a tag, a space and the end are tokens too


def open_translator(folder, session=None):
    session = session or FakeSession()
    return Translator(load_bundle(folder), encoder=FakeEncoder(session), step=FakeStep(session))


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    return open_translator(write_translator(tmp_path_factory.mktemp("models")))


def test_a_source_is_tag_pieces_and_end(translator):
    ids = translator.encode("See it.", WISH).search.ids
    assert ids.dtype == np.int32
    assert ids.tolist() == [subwords().tag("<2es>"), *subwords().encode("See it."), EOS_ID]
    assert translator.encode("See it.", replace(WISH, pair=Pair("en", "de"))).search.ids[0] == subwords().tag("<2de>")


def test_what_is_wanted_is_searched(translator):
    wish = replace(WISH, beam_size=6, length_penalty=0.5)
    search = translator.encode("See it.", wish).search
    assert (search.beam_size, search.num_hypotheses, search.length_penalty) == (6, 1, 0.5)
    assert search.wants_attention is False
    assert translator.encode("See it.", replace(wish, num_hypotheses=3)).search.num_hypotheses == 6
    assert translator.encode("See it.", replace(wish, attention=True)).search.wants_attention
    assert translator.encode("See 1984.", wish).search.wants_attention


@pytest.mark.parametrize(
    ("text", "max_length", "cap"),
    [("ab", None, 7 + 8), ("ab", 7, 7), ("ab", 70, 15), ("a" * FITS, None, MAX_TARGET_TOKENS)],
)
def test_a_translation_is_capped_by_its_source_the_model_and_the_caller(translator, text, max_length, cap):
    assert translator.encode(text, replace(WISH, max_length=max_length)).search.max_tokens == cap


@pytest.mark.parametrize(
    "text", ["😀 🇩🇪", "1984", "12 - 5!", "http://a.b", "Владивосток, Россия", "...", "\u200b", PLACEHOLDER]
)
def test_a_sentence_without_words_answers_itself(translator, text):
    source = translator.encode(text, replace(WISH, num_hypotheses=4, attention=True))
    assert source.search is None
    [translation] = translator.decode(source, ())
    assert (translation.text, translation.score) == (text, 0.0)
    assert translation.attention.source_tokens == translation.attention.target_tokens == [text]
    assert translation.attention.weights.tolist() == [[1.0]]


def test_too_long_a_sentence_is_refused_or_cut(translator):
    assert len(translator.encode("a" * FITS, WISH).search.ids) == MAX_SOURCE_TOKENS
    message = rf"\b{MAX_SOURCE_TOKENS + 1} tokens.*at most {MAX_SOURCE_TOKENS}\b"
    with pytest.raises(InputTooLongError, match=message):
        translator.encode("a" * (FITS + 1), WISH)
    source = translator.encode("a" * 500, replace(WISH, truncate=True))
    assert source.truncated
    assert len(source.search.ids) == MAX_SOURCE_TOKENS
    assert source.search.ids[-1] == EOS_ID
    assert not translator.encode("a" * FITS, replace(WISH, truncate=True)).truncated


def test_sentences_are_translated(translator):
    [[hello], [nice]] = translator.translate(["Hello, you.", "Nice 1984 at http://a.b/C, Я!"], WISH)
    assert (hello.text, nice.text) == ("hELLO, YOU.", "nICE 1984 AT http://a.b/C, Я!")
    assert hello.score == pytest.approx(SCORE)
    assert hello.attention is None


def test_several_translations_differ_and_fall(translator):
    [found] = translator.translate(["Me too."], replace(WISH, num_hypotheses=4))
    assert len({each.text for each in found}) == 4
    assert found[0].text == "mE TOO."
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_attention_names_pieces_and_copies(translator):
    [[found]] = translator.translate(["In 1984!"], replace(WISH, attention=True))
    attention = found.attention
    assert attention.source_tokens == ["<2es>", "▁", "I", "n", "▁", "1984", "!", "</s>"]
    assert attention.target_tokens == ["▁", "i", "N", "▁", "1984", "!"]
    assert attention.weights.argmax(axis=1).tolist() == [1, 2, 3, 4, 5, 6]


def hypothesis(text, weights=None):
    ids = tuple(subwords().encode(text))
    return Hypothesis(ids=ids, score=-1.0, attention=weights, is_complete=True)


def test_copies_go_where_the_network_looked(translator):
    source = translator.encode("In 1984 or 2001", WISH)
    text = f"{PLACEHOLDER} i {PLACEHOLDER} e {PLACEHOLDER}"
    weights = np.zeros((len(subwords().encode(text)), len(source.search.ids)), np.float32)
    first, _, last = np.flatnonzero(np.array(subwords().encode(text)) == subwords().placeholder_id)
    one, two = np.flatnonzero(source.search.ids == subwords().placeholder_id)
    weights[first, two], weights[last, one] = 0.9, 0.8
    assert [each.text for each in translator.decode(source, [hypothesis(text, weights)])] == ["2001 i e 1984"]


def test_a_placeholder_without_a_source_goes_and_those_alike_are_one(translator):
    source = translator.encode("In it", replace(WISH, num_hypotheses=3))
    found = translator.decode(source, [hypothesis(f"en {PLACEHOLDER} el"), hypothesis("en el"), hypothesis("el")])
    assert [each.text for each in found] == ["en el", "el"]


@pytest.mark.parametrize(
    "damage",
    [
        {"limits": {"max_tokens": 5}},
        {"limits": {"max_target_tokens": 5}},
        {"pairs": []},
        {"pairs": [{"source": "en", "target": "fr", "tag": "<2fr>"}]},
    ],
)
def test_a_manifest_that_lacks_what_a_translator_needs_is_named(tmp_path, damage):
    folder = write_translator(tmp_path)
    write_manifest(folder, translator_manifest(TRANSLATOR) | damage)
    with pytest.raises(BundleError, match=f"{MANIFEST}: not the manifest of a translator"):
        open_translator(folder)


def test_subwords_that_are_none_are_named(tmp_path):
    folder = write_translator(tmp_path)
    (folder / SUBWORDS).write_bytes(b"none")
    write_manifest(folder, translator_manifest(TRANSLATOR))
    with pytest.raises(BundleError, match=f"{SUBWORDS}: not the subwords of a translator"):
        open_translator(folder)


def test_a_warm_up_encodes_and_steps_as_much_as_there_will_be(tmp_path):
    session = FakeSession()
    open_translator(write_translator(tmp_path), session).warm_up(Bounds(cells=320, decoder_rows=48))
    assert session.shapes == [(10, 32), (48,), (1, MAX_SOURCE_TOKENS), (48,)]

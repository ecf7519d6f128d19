"""Translating a sentence: what goes to the network, what round it, and what comes back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bundle import MANIFEST, SUBWORDS, load_bundle, write_manifest
from service.decoding.search import Hypothesis
from service.errors import BundleError
from service.predictors.predictor import Bounds
from service.predictors.translation import LanguagePair, TranslateOptions
from service.predictors.translator import Translator
from service.text.placeholders.items import scan
from service.text.placeholders.masking import NAME_SYMBOLS, NUMBER_SYMBOLS
from service.text.subwords import EOS_ID
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
from tests.fakes.letters import SCORE, say, subwords
from tests.text.placeholders.test_restoration import in_order

WISH = TranslateOptions(pair=LanguagePair("en", "es"))


def open_translator(folder, session=None):
    session = session or FakeSession()
    return Translator(load_bundle(folder), encoder=FakeEncoder(session), step=FakeStep(session))


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    return open_translator(write_translator(tmp_path_factory.mktemp("models")))


def search_of(translator, text, options=WISH):
    [search] = translator.encode(text, options).searches
    return search


def decoded(translator, source, hypotheses):
    return translator.decode(translator.sentence_decoder.answered(source, [hypotheses]))


def test_a_source_is_tag_pieces_and_end(translator):
    ids = search_of(translator, "See it.").ids
    assert ids.dtype == np.int32
    assert ids.tolist() == [subwords().tag("<2es>"), *subwords().encode("See it."), EOS_ID]
    german = replace(WISH, pair=LanguagePair("en", "de"))
    assert search_of(translator, "See it.", german).ids[0] == subwords().tag("<2de>")


def test_what_is_wanted_is_searched(translator):
    options = replace(WISH, beam_size=6, length_penalty=0.5)
    search = search_of(translator, "See it.", options)
    assert (search.beam_size, search.num_hypotheses, search.length_penalty) == (6, 1, 0.5)
    assert search_of(translator, "See it.", replace(options, num_hypotheses=3)).num_hypotheses == 6
    assert search_of(translator, "See 1984.", options).num_hypotheses == 6


@pytest.mark.parametrize(
    ("text", "max_length", "cap"),
    [("ab", None, 7 + 8), ("ab", 7, 7), ("ab", 70, 15), ("a" * 58, None, MAX_TARGET_TOKENS)],
)
def test_a_translation_is_capped_by_its_source_the_model_and_the_caller(translator, text, max_length, cap):
    assert search_of(translator, text, replace(WISH, max_length=max_length)).max_tokens == cap


@pytest.mark.parametrize(
    "text", ["😀 🇩🇪", "1984", "12 - 5!", "http://a.b", "Владивосток, Россия", "...", "\u200b", NUMBER_SYMBOLS[0]]
)
def test_a_sentence_without_words_answers_itself(translator, text):
    source = translator.encode(text, replace(WISH, num_hypotheses=4, attention=True))
    assert source.searches == []
    [translation] = translator.decode(source)
    assert (translation.text, translation.score, translation.complete) == (text, 0.0, True)
    assert translation.attention.source_tokens == translation.attention.target_tokens == [text]
    assert translation.attention.weights.tolist() == [[1.0]]


def test_sentences_are_translated(translator):
    [[hello], [nice]] = translator.translate(["Hello, you.", "Nice 1984 at http://a.b/C, Я!"], WISH)
    assert (hello.text, nice.text) == (say("Hello, you."), f"{say('Nice')} 1984 {say('at')} http://a.b/C, Я!")
    assert hello.score == pytest.approx(SCORE)
    assert hello.attention is None


def test_several_translations_differ_and_fall(translator):
    [found] = translator.translate(["Me too."], replace(WISH, num_hypotheses=4))
    assert len({each.text for each in found}) == 4
    assert found[0].text == say("Me too.")
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_attention_names_pieces_and_copies(translator):
    [[found]] = translator.translate(["In 1984!"], replace(WISH, attention=True))
    attention = found.attention
    assert attention.source_tokens == ["<2es>", "▁", "I", "n", "▁", "1984", "!", "</s>"]
    assert attention.target_tokens == ["▁", *say("In"), "▁", "1984", "!"]
    assert attention.weights.argmax(axis=1).tolist() == [1, 2, 3, 4, 5, 6]


def hypothesis(text, source):
    """One that looks at the source's pieces in order."""
    ids = tuple(subwords().encode(text))
    weights = in_order(len(ids), len(source.searches[0].ids))
    return Hypothesis(ids=ids, score=-1.0, attention=weights, is_complete=True)


def test_items_are_named_by_their_symbols(translator):
    source = translator.encode("In 1984 or 2001", WISH)
    one, two, three = NUMBER_SYMBOLS[:3]
    found = decoded(translator, source, [hypothesis(f"{two} va {one}", source)])
    assert [each.text for each in found] == ["2001 va 1984"]
    assert decoded(translator, source, [hypothesis(f"{one} va {three}", source)])[0].text == "1984 va 2001"


def test_a_symbol_without_an_item_goes_and_those_alike_are_one(translator):
    source = translator.encode("In it", replace(WISH, num_hypotheses=3))
    name = NAME_SYMBOLS[0]
    found = decoded(
        translator, source, [hypothesis(f"en {name} el", source), hypothesis("en el", source), hypothesis("el", source)]
    )
    assert [each.text for each in found] == ["En el", "El"]


def test_hypotheses_that_need_less_repair_come_first(translator):
    source = translator.encode("In 1984 we met Я", replace(WISH, num_hypotheses=3))
    number, name = NUMBER_SYMBOLS[0], NAME_SYMBOLS[0]
    texts = ["va bi", f"va {number}", f"{name} va {number}"]
    found = [each.text for each in decoded(translator, source, [hypothesis(text, source) for text in texts])]
    assert found == ["Я va 1984", "Va 1984 Я", "1984 va bi Я"]


def test_sentences_in_capitals_are_read_as_others_and_answered_in_capitals(translator):
    assert translator.encode("DO NOT TOUCH IT1.", WISH).segments[0].masked.text == f"Do not touch {NAME_SYMBOLS[0]}."
    [[found]] = translator.translate(["DO NOT TOUCH x_y 5 times."], WISH)
    [[capitals]] = translator.translate(["DO NOT TOUCH x_y 5 TIMES."], WISH)
    assert found.text == f"{say('DO NOT TOUCH')} x_y 5 {say('times')}."
    assert capitals.text == f"{say('DO NOT TOUCH')} x_y 5 {say('TIMES')}."


def test_a_title_is_answered_as_a_sentence(translator):
    [[found]] = translator.translate(["How To Learn Another Language"], WISH)
    assert found.text == say("How to learn another language")


def test_numbers_are_written_as_the_target_language_does_if_that_is_wanted(translator):
    for options, number in ((WISH, "1,234.56"), (replace(WISH, localize_numbers=True), "1.234,56")):
        [[found]] = translator.translate(["We had 1,234.56 of it."], replace(options, attention=True))
        assert found.text == f"{say('We had')} {number} {say('of it')}."
        assert number in found.attention.target_tokens
        assert "1,234.56" in found.attention.source_tokens


WORDS = st.sampled_from(
    ("we", "It", "NASA", "saw", "5", "1,000", "-3", "x_y", "**bold**", "<b>a</b>", "{0}", "%s", "Я", "50 %")
)


@given(st.lists(WORDS, max_size=8).map(" ".join), st.integers(0, 2**32 - 1))
def test_every_hypothesis_of_any_network_has_the_items_of_its_source(text, seed):
    """Ids are random, and so is the attention."""
    rng = np.random.default_rng(seed)
    translator = any_translator()
    source = translator.encode(text, replace(WISH, num_hypotheses=4))
    answers = [[random_hypothesis(rng, len(search.ids)) for _ in range(4)] for search in source.searches]
    for each in translator.decode(translator.sentence_decoder.answered(source, answers)):
        assert item_texts(each.text) == item_texts(text)


def random_hypothesis(rng, num_columns):
    ids = rng.integers(4, len(subwords()), rng.integers(0, 20))
    symbols = rng.random(len(ids)) < 0.3
    ids[symbols] = rng.choice(sorted(subwords().symbol_ids), symbols.sum())
    weights = rng.random((len(ids), num_columns)).astype(np.float32)
    return Hypothesis(ids=tuple(ids.tolist()), score=-1.0, attention=weights, is_complete=True)


def item_texts(text):
    return Counter(item.text for item in scan(text, subwords().alphabet))


@cache
def any_translator():
    return open_translator(write_translator(Path(mkdtemp())))


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
    assert session.shapes == [(8, MAX_SOURCE_TOKENS), (48,)]

"""Sentences that are long are translated in parts, and those whose translation loops once more in smaller ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bundle import MANIFEST, load_bundle, write_manifest
from service.decoding.search import Hypothesis
from service.errors import BundleError, InputTooLongError
from service.predictors.sentence_decoder import block_diagonal
from service.predictors.translation import NUM_SPECIAL, SPLIT_TOKENS, EncodedSentence, LanguagePair, TranslateOptions
from service.predictors.translator import Translator
from service.text.placeholders.items import scan
from service.text.placeholders.masking import compose
from tests.fakes import (
    MAX_SOURCE_TOKENS,
    TRANSLATOR,
    FakeEncoder,
    FakeSession,
    FakeStep,
    translator_manifest,
    write_translator,
)
from tests.fakes.letters import SCORE, say, subwords

WISH = TranslateOptions(pair=LanguagePair("en", "es"))
LONG = (
    "We stayed at home all day, because it rained; and when it stopped, we went out to see what was left of the town."
)
CONFIDENCE: dict[str, Any] = {
    "what": "that it is right",
    "weights": [{"feature": "repeated", "weight": -4.0}, {"feature": "uncovered_share", "weight": -4.0}],
    "bias": 2.0,
    "threshold": 0.8,
    "measured_on": ["letters"],
}
CONFIDENT = 1 / (1 + np.exp(-2))


def open_translator(folder: Path, session: FakeSession | None = None, **changes: Any) -> Translator:
    """``changes`` are fields of the manifest."""
    session = session or FakeSession()
    write_manifest(write_translator(folder), translator_manifest(TRANSLATOR) | changes)
    return Translator(load_bundle(folder / TRANSLATOR), encoder=FakeEncoder(session), step=FakeStep(session))


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Translator:
    return open_translator(tmp_path_factory.mktemp("models"))


def texts_of(source: EncodedSentence) -> list[str]:
    return [source.text[each.part.start : each.part.end] for each in source.segments]


def test_a_long_sentence_is_searched_in_parts_and_joined(translator: Translator) -> None:
    source = translator.encode(LONG, WISH)
    assert texts_of(source) == [
        "We stayed at home all day, because it rained",
        "and when it stopped",
        "we went out to see what was left of the town.",
    ]
    assert all(len(search.ids) <= SPLIT_TOKENS + NUM_SPECIAL for search in source.searches)
    assert source.num_tokens == sum(len(search.ids) for search in source.searches)
    [[found]] = translator.translate([LONG], WISH)
    assert found.text == say(LONG)
    assert found.score == pytest.approx(SCORE)
    assert found.complete
    assert found.confidence is None


def test_the_manifest_may_have_another_limit(tmp_path: Path) -> None:
    limits = {"max_tokens": 200, "max_target_tokens": 300, "split_tokens": 150}
    assert len(open_translator(tmp_path, limits=limits).encode(LONG, WISH).segments) == 1


@pytest.mark.parametrize(
    "text", ["abcdefgh" * 60, "well " * 500, "1 " * 500 + "a", "Я " * 300, ", ".join(["milk"] * 200)]
)
def test_no_sentence_is_too_long(translator: Translator, text: str) -> None:
    source = translator.encode(text, WISH)
    assert not source.truncated
    assert all(len(search.ids) <= MAX_SOURCE_TOKENS for search in source.searches)
    [[found]] = translator.translate([text], WISH)
    assert found.text.replace(" ", "") == "".join(say(text).split()) or "Я" in text


def test_what_cannot_be_cut_is_refused_or_truncated(tmp_path: Path) -> None:
    """A character is two pieces here, and the model reads one."""
    limits = {"max_tokens": 3, "max_target_tokens": 5}
    translator = open_translator(tmp_path, limits=limits)
    with pytest.raises(InputTooLongError, match=r"\b4 tokens.*at most 3\b"):
        translator.encode("ab", WISH)
    source = translator.encode("ab", replace(WISH, truncate=True))
    assert source.truncated
    assert [len(search.ids) for search in source.searches] == [3, 3]


def test_items_stay_whole_and_in_their_part(translator: Translator) -> None:
    text = f"We met {'again and ' * 7}again at 5,000 Hz; then {'at last ' * 6}we saw http://a.b/c,d with x_y."
    [[found]] = translator.translate([text], WISH)
    for item in ("5,000 Hz;", "http://a.b/c,d", "x_y."):
        assert item in found.text


ITEMS = st.sampled_from(
    "5 000 1,234.5 -5 50 % $ {0} {{x}} x_y @you #5 #tag http://a.b/c <b> </b> &amp; `code` ` * ** 😀 😀 Я + ( ) % é "
    "I'm don&#39;t \ue000 \uf001 £ € °C km a b well again and but".split()
)


@settings(max_examples=30)
@given(st.lists(st.tuples(ITEMS, st.sampled_from([" ", " ", ", ", "; ", ""])), min_size=20, max_size=80))
def test_the_items_of_parts_are_those_of_the_sentence(translator: Translator, words: list[tuple[str, str]]) -> None:
    text = "".join(map("".join, words)).strip()
    [[found]] = translator.translate([text], replace(WISH, beam_size=1))
    alphabet = subwords().alphabet
    assert Counter(each.text for each in scan(found.text, alphabet)) == Counter(
        each.text for each in scan(compose(text), alphabet)
    )


def test_several_translations_of_a_long_sentence_differ_in_one_part(translator: Translator) -> None:
    [found] = translator.translate([LONG], replace(WISH, num_hypotheses=4))
    assert len({each.text for each in found}) == 4
    assert found[0].text == say(LONG)
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert all(each.confidence is None for each in found)


def test_attention_of_parts_is_block_diagonal(translator: Translator) -> None:
    [[found]] = translator.translate([LONG], replace(WISH, attention=True))
    attention = found.attention
    assert attention is not None
    assert attention.weights.shape == (len(attention.target_tokens), len(attention.source_tokens))
    assert attention.weights.sum(axis=1) == pytest.approx(1)
    assert attention.source_tokens.count("<2es>") == attention.source_tokens.count("</s>") == 3
    places = attention.weights.argmax(axis=1).tolist()
    assert places == sorted(places)


def test_blocks_stand_along_the_diagonal() -> None:
    whole = block_diagonal([np.ones((1, 2), np.float32), np.zeros((0, 3), np.float32), np.ones((2, 1), np.float32)])
    assert whole.tolist() == [[1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1]]


def test_the_wished_length_is_that_of_the_whole_sentence(translator: Translator) -> None:
    source = translator.encode(LONG, replace(WISH, max_length=20))
    assert sum(search.max_tokens for search in source.searches) <= 20
    [[found]] = translator.translate([LONG], replace(WISH, max_length=20, beam_size=1))
    assert not found.complete
    assert len(found.text) <= 20 + len("; , ")


def test_what_loops_is_searched_again_in_halves(tmp_path: Path) -> None:
    session = FakeSession()
    translator = open_translator(tmp_path, session, confidence=CONFIDENCE)
    text = "We stayed at home, because it rained"
    session.loops_from = 30
    source = translator.encode(text, WISH)
    assert len(source.searches) == 1
    [[found]] = translator.translate([text], WISH)
    assert (found.text, found.complete) == (say(text), True)
    assert found.confidence == pytest.approx(CONFIDENT)
    once = replace(WISH, beam_size=1, max_length=60)  # where the length is limited there is no second search
    [[looping]] = translator.translate([text], once)
    assert not looping.complete
    assert looping.confidence is not None
    assert looping.confidence < 0.5


def test_a_network_that_always_loops_is_answered_all_the_same(tmp_path: Path) -> None:
    session = FakeSession()
    session.loops_from = 1
    translator = open_translator(tmp_path, session)
    [[found]] = translator.translate(["We stayed at home, because it rained"], replace(WISH, beam_size=1))
    assert not found.complete
    assert found.text.startswith(say("We stayed"))


def test_a_hypothesis_that_ends_early_is_searched_again(tmp_path: Path) -> None:
    session = FakeSession()
    session.loops_from = 30
    translator = open_translator(tmp_path, session)
    text = "We stayed at home, because it rained"
    [omitting] = [each[0].text for each in translator.translate([text], replace(WISH, max_length=60))]
    assert len(omitting) < len(text) / 2
    assert translator.translate([text], WISH)[0][0].text == say(text)


def test_sound_parts_are_not_searched_again(tmp_path: Path) -> None:
    session = FakeSession()
    session.loops_from = 48
    translator = open_translator(tmp_path, session)
    source = translator.encode(LONG, WISH)
    lengths = [len(search.ids) for search in source.searches]
    assert [length >= 48 for length in lengths] == [False, False, True]
    answers = [[hypothesis(say(text), length)] for text, length in zip(texts_of(source), lengths, strict=True)]
    assert translator.halved(translator.sentence_decoder.answered(source, answers)) is None
    answers[2] = [hypothesis("a b c " * 8, lengths[2])]
    second = translator.halved(translator.sentence_decoder.answered(source, answers))
    assert second is not None
    assert [len(search.ids) < 48 for search in second.searches] == [True, True]
    assert len(second.segments) == 4
    [[found]] = translator.translate([LONG], WISH)
    assert found.text == say(LONG)


def hypothesis(text: str, num_sources: int, *, score: float = -1.0) -> Hypothesis:
    """One that looks at one source token after another."""
    ids = tuple(subwords().encode(text))
    weights = np.zeros((len(ids), num_sources), np.float32)
    weights[np.arange(len(ids)), np.minimum(1 + np.arange(len(ids)), num_sources - 2)] = 1
    return Hypothesis(ids=ids, score=score, attention=weights, is_complete=True)


def test_of_two_answers_the_sounder_one_is_better_and_then_the_likelier_one(translator: Translator) -> None:
    text = "We stayed at home, because it rained"
    source = translator.encode(text, WISH)
    num_tokens = len(source.searches[0].ids)

    def answered(text: str, score: float) -> EncodedSentence:
        return translator.sentence_decoder.answered(source, [[hypothesis(text, num_tokens, score=score)]])

    sound, likely, loop = answered(say(text), -1.0), answered(say(text), -0.5), answered("a b c " * 8, -0.1)
    assert translator.sentence_decoder.better(loop, sound) is translator.sentence_decoder.better(sound, loop) is sound
    assert (
        translator.sentence_decoder.better(likely, sound) is translator.sentence_decoder.better(sound, likely) is likely
    )
    equal = answered(say(text), -1.0)
    assert translator.sentence_decoder.better(sound, equal) is sound


def test_coverage_ranks_hypotheses_where_the_manifest_says_so(tmp_path: Path) -> None:
    text = "We stayed at home"
    for weight, best in ((0.0, "Va"), (0.1, say(text))):
        translator = open_translator(tmp_path / best, coverage_weight=weight)
        source = translator.encode(text, WISH)
        [search] = source.searches
        assert search.num_hypotheses == (4 if weight else 1)
        found = [hypothesis("Va", len(search.ids), score=-0.5), hypothesis(say(text), len(search.ids), score=-0.6)]
        assert translator.decode(translator.sentence_decoder.answered(source, [found]))[0].text == best


@pytest.mark.parametrize(("text", "confidence"), [("1984", 1.0), ("...", 1.0), ("他们来了。", 0.0), ("a.b@c.de", 1.0)])
def test_what_is_copied_is_trusted_if_it_is_no_foreign_word(tmp_path: Path, text: str, confidence: float) -> None:
    [[found]] = open_translator(tmp_path, confidence=CONFIDENCE).translate([text], WISH)
    assert (found.text, found.confidence) == (text, confidence)


def test_a_confidence_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=f"{MANIFEST}.*confidence.*charm"):
        open_translator(tmp_path, confidence=CONFIDENCE | {"weights": [{"feature": "charm", "weight": 1.0}]})


@pytest.mark.parametrize(
    ("source", "target", "pair"),
    [
        ("en", "es", LanguagePair("en", "es")),
        ("EN-gb", "es_MX", LanguagePair("en", "es")),
        ("en", "DE", LanguagePair("en", "de")),
        ("en", "fr", None),
        ("de", "es", None),
        ("", "", None),
    ],
)
def test_languages_are_found_by_their_tags(
    translator: Translator, source: str, target: str, pair: LanguagePair | None
) -> None:
    assert translator.pair_for(source, target) == pair


WORDS = st.sampled_from(
    [
        "we",
        "and",
        "stayed,",
        "because",
        "I",
        "5",
        "http://a.b",
        "(so",
        "it)",
        "Я",
        "well;",
        "That",
        "1,000 kg",
        "😀",
        "x_y",
    ]
)


@settings(max_examples=25)
@given(st.lists(WORDS, max_size=60).map(" ".join), st.integers(1, 3), st.data())
def test_long_sentences_of_any_kind_are_answered_alike_alone_and_beside_others(
    translator: Translator, text: str, num_hypotheses: int, data: st.DataObject
) -> None:
    options = replace(WISH, num_hypotheses=num_hypotheses, attention=data.draw(st.booleans()))
    other = data.draw(st.lists(WORDS, min_size=1, max_size=30).map(" ".join))
    [alone] = translator.translate([text], options)
    [_, beside] = translator.translate([other, text], options)
    assert texts_and_scores(alone) == texts_and_scores(beside)
    assert 1 <= len(alone) <= num_hypotheses
    assert alone[0].complete


def texts_and_scores(found: Sequence[Any]) -> list[tuple[str, float]]:
    return [(each.text, each.score) for each in found]

"""What ships, under onnxruntime: a tagger's every score, and the answers we promise. The rest is every predictor's
(test_contract.py)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bundle import EXAMPLES, MANIFEST, load_bundle
from service.predictors.classifier import Classifier
from service.predictors.predictor import replay
from service.predictors.tagger import Tagger
from service.predictors.translation import LanguagePair, TranslateOptions
from service.predictors.translator import Translator
from service.runtime.session import OnnxSession
from service.text.pipeline import pad
from service.text.placeholders.items import scan
from service.text.spans import spans_of, tags_of
from service.text.tokenizer import join_words

MODELS = Path(__file__).parents[2] / "models"
TAGGERS = sorted(path.parent for path in MODELS.glob(f"*-tagger/{MANIFEST}"))
OUTPUTS = ("upos", "xpos", "entity")
WORDS = st.sampled_from(
    "the plays well with others Bridgestone Sports Company said Friday in Hong Kong $ 3 million New York , . ! n't "
    "I BREAKING café naïve 你好 Ωμέγα 😀 👩‍👩‍👧 e\u0301 \u200b \ufeff \0 \ud800 ﬁ İstanbul ٣ 1,000.50 http://a.b/c?d=e "
    "<pad> <mask> <unk> \x02 \x03 O B-PER incomprehensibilities_and_counting_on_for_ever".split(" ")
) | st.text(min_size=1, max_size=10)
SENTENCES = st.lists(WORDS, min_size=1, max_size=25)
EXAMPLES_OF_THE_LAW = settings(max_examples=50)  # each costs up to nine runs of the model


def open_tagger(folder: Path, precision: str) -> tuple[Tagger, OnnxSession]:
    bundle = load_bundle(folder)
    session = OnnxSession(bundle.graph(precision))
    return Tagger(bundle, session), session


@pytest.fixture(scope="module", params=TAGGERS, ids=lambda folder: folder.name)
def shipped(request) -> tuple[Tagger, OnnxSession]:
    return open_tagger(request.param, "fp32")


def rows_of(tagger, sentences):
    return [tagger.encode(join_words(words)[1]).ids for words in sentences]


def run(session, rows):
    batch = pad(rows)
    return session.run({"ids": batch.ids, "lengths": batch.lengths})


@EXAMPLES_OF_THE_LAW
@given(st.lists(SENTENCES, min_size=1, max_size=8))
def test_every_score_of_a_batch_is_to_the_last_bit_what_it_is_alone(shipped, sentences):
    tagger, session = shipped
    rows = rows_of(tagger, sentences)
    together = run(session, rows)
    for i, row in enumerate(rows):
        alone = run(session, [row])
        for name in OUTPUTS:
            assert np.array_equal(together[name][i, : len(row)], alone[name][0]), (name, i)


@EXAMPLES_OF_THE_LAW
@given(st.lists(SENTENCES, min_size=1, max_size=8))
def test_tags_are_one_a_word_and_legal_and_scores_are_probabilities(shipped, sentences):
    tagger, _ = shipped
    rows = rows_of(tagger, sentences)
    for row, answer in zip(rows, tagger.run(pad(rows)), strict=True):
        assert len(answer.upos) == len(answer.xpos) == len(answer.entity) == len(row)
        assert tags_of(spans_of(answer.entity), len(row)) == answer.entity
        assert all(0 < span.score <= 1 for span in answer.spans)


def test_a_short_sentence_beside_the_longest_is_what_it_is_alone(shipped):
    tagger, session = shipped
    rows = rows_of(tagger, [["Yes"], ["word"] * 300, ["plays", "well"], *[["A", "b"]] * 30])
    together = run(session, rows)
    for i, row in enumerate(rows):
        alone = run(session, [row])
        for name in OUTPUTS:
            assert np.array_equal(together[name][i, : len(row)], alone[name][0]), (name, i)


@pytest.fixture(scope="module")
def english() -> Tagger:
    return open_tagger(MODELS / "en-tagger", "fp32")[0]


def test_plays_well_with_others(english):
    (answer,) = english.run(pad(rows_of(english, ["plays well with others".split()])))
    assert answer.xpos == "VBZ RB IN NNS".split()


def test_bridgestone_friday_and_hong_kong(english):
    text = (
        "Bridgestone Sports Company said Friday it has set up a joint venture in Hong Kong with a local company"
    ).split()
    (answer,) = english.run(pad(rows_of(english, [text])))
    assert [(span.label, " ".join(text[span.start : span.end])) for span in answer.spans] == [
        ("ORG", "Bridgestone Sports Company"),
        ("DATE", "Friday"),
        ("LOC", "Hong Kong"),
    ]


def open_classifier(name: str) -> Classifier:
    bundle = load_bundle(MODELS / name)
    return Classifier(bundle, OnnxSession(bundle.graph()))


@pytest.fixture(scope="module")
def sentiment() -> Classifier:
    return open_classifier("en-sentiment")


def classify(classifier, *texts):
    return classifier.run(pad([classifier.encode(text).ids for text in texts]))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The movie was terribly exciting!", "positive"),
        ("It was not bad at all.", "positive"),
        ("It was not good.", "negative"),
        ("The meeting starts at three on Thursday.", "neutral"),
        ("\N{POUTING FACE}", "negative"),
    ],
)
def test_terribly_exciting_not_bad_and_not_good(sentiment, text, label):
    [answer] = classify(sentiment, text)
    assert answer.label == label


def test_a_review_of_over_a_thousand_words_is_answered(sentiment):
    sentence = "I had hoped for little, and yet this film was a joy from its first scene to its last. "
    [answer] = classify(sentiment, sentence * 60)
    assert answer.label == "positive"


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("en-sentiment", ("negative", "neutral", "positive")),
        ("en-irony", ("non_irony", "irony")),
        ("en-spam", ("ham", "spam")),
    ],
)
def test_scores_are_those_of_all_labels_and_sum_to_one(name, labels):
    classifier = open_classifier(name)
    for answer in classify(classifier, "It was not bad at all.", "Oh great, another Monday morning!", "x"):
        assert answer.labels == labels
        assert sum(answer.scores) == pytest.approx(1, abs=1e-9)
        assert answer.score == max(answer.scores) == answer.scores[labels.index(answer.label)]


def test_emotions_are_several_and_neutral_is_one_of_them():
    emotion = open_classifier("en-emotion")
    thanks, fact = classify(emotion, "Thank you so much, I love it!", "The meeting starts at three.")
    assert {"gratitude", "love"} <= set(thanks.chosen)
    assert fact.label == "neutral"
    assert sum(thanks.scores) != pytest.approx(1)


def test_an_intent_has_a_domain():
    [answer] = classify(open_classifier("en-intent"), "how much money is in my checking account")
    assert (answer.label, answer.group) == ("balance", "banking")


@pytest.fixture(scope="module", params=["es", "de", "fr"])
def target(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def translator(target) -> Translator:
    bundle = load_bundle(MODELS / f"en-{target}")
    encoder, step = (OnnxSession(path) for path in (bundle.encoder("int8"), bundle.graph("int8")))
    return Translator(bundle, encoder=encoder, step=step)


def test_a_translator_answers_its_examples_with_their_items(translator, target):
    bundle = load_bundle(MODELS / f"en-{target}")
    examples = Translator.example_decoder.decode(bundle.path(EXAMPLES).read_bytes())
    replay(translator, bundle, precision="int8")
    assert {(each.source, each.target) for each in examples} == set(translator.pairs)
    for each in examples:
        assert items_of(each.translation) == items_of(each.text)


@pytest.mark.parametrize(
    "text",
    [
        "I don't know https://example.org/a?b=1, 3,417, Иванов or info@example.com.",
        "Hello {0}, you have %d new messages.",
        "<p>Your order <b>%1$s</b> is ready &amp; paid.</p>",
        "The score was 3-2 at -5 \N{DEGREE SIGN}C on 12/03/2024; call +44 20 7946 0958.",
        f"Please buy {', '.join(['bread and 5 eggs', 'milk', '{item}'] * 15)}.",
    ],
)
def test_a_translator_keeps_the_items_of_any_sentence(translator, target, text):
    (found,) = translator.translate([text], TranslateOptions(pair=LanguagePair("en", target), num_hypotheses=4))
    assert all(items_of(each.text) == items_of(text) for each in found)
    assert len({each.text for each in found}) >= 3  # once the items are back, two may be alike


def items_of(text):
    return Counter(each.text for each in scan(text))


def test_a_translator_knows_an_end_and_thanks(translator, target):
    many, thanks = translator.translate(
        ["ha " * 40, "Thank you very much."], TranslateOptions(pair=LanguagePair("en", target))
    )
    assert len(many[0].text) < 600  # within the cap
    assert {"es": "racias", "de": "ank", "fr": "erci"}[target] in thanks[0].text

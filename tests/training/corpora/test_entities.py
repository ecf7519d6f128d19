from __future__ import annotations

import pytest

from service.text.spans import Span, tags_of
from training.corpora.entities import TAGS, UNKNOWN, allowed_tags, merged_tags, money_spans, strip_titles
from training.corpora.examples import TaggedSentence

ANY_DATE = {"O", "B-DATE", "I-DATE", "E-DATE", "S-DATE"}
ANY_DATE_OR_MISC = ANY_DATE | {"B-MISC", "I-MISC", "E-MISC", "S-MISC"}


def sentence(text, *spans, xpos=None):
    words = text.split()
    tags = {"ner": tags_of([Span(*span) for span in spans], len(words)), "xpos": (xpos or "NNP " * len(words)).split()}
    return TaggedSentence(words=words, tags=tags)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a $ 3 million deal", ["$ 3 million"]),
        ("20 percent of it", ["20 percent"]),
        ("up 3.5 % today", ["3.5 %"]),
        ("€ 5 or US$ 1,000.50", ["€ 5", "US$ 1,000.50"]),
        ("about 3 billion dollars more", ["3 billion dollars"]),
        ("£ 5bn", ["£ 5bn"]),
        ("from 5 to 10 percent", ["10 percent"]),
        ("$ 5 euros", ["$ 5 euros"]),
        ("20 people in 1998", []),
        ("million dollars", []),
        ("the $ fell", []),
        ("$", []),
        ("$ $ 5", ["$ 5"]),
        ("€5", []),  # one token to the eye alone: the tokenizer always cuts it
        ("", []),
    ],
)
def test_sums_of_money_are_a_sign_before_a_number_or_a_unit_behind_one(text, expected):
    words = text.split()
    assert [" ".join(words[span.start : span.end]) for span in money_spans(words)] == expected


@pytest.mark.parametrize(
    ("text", "name"), [("President Bush", "Bush"), ("Prime Minister Tony Blair", "Tony Blair"), ("Bush", "Bush")]
)
def test_titles_before_a_name_are_taken_off(text, name):
    words = text.split()
    span = strip_titles(words, Span("PER", 0, len(words)))
    assert " ".join(words[span.start : span.end]) == name


def test_gmb_per_loses_its_titles_and_a_mere_title_is_nobody():
    found = merged_tags(sentence("President Bush met the President", ("per", 0, 2), ("per", 4, 5)), "gmb")
    assert found == ["O", "S-PER", "O", "O", "O"]


@pytest.mark.parametrize(("xpos", "tag"), [("NNP", "S-LOC"), ("JJ", "S-MISC"), ("NNS", "S-MISC"), ("NNPS", "S-MISC")])
def test_gmb_gpe_is_a_place_if_a_proper_noun_and_else_a_people(xpos, tag):
    assert merged_tags(sentence("Nepal", ("gpe", 0, 1), xpos=xpos), "gmb") == [tag]


@pytest.mark.parametrize(("label", "merged"), [("geo", "LOC"), ("org", "ORG"), ("art", "MISC"), ("nat", "MISC")])
def test_gmb_s_other_labels_have_one_of_ours_each(label, merged):
    assert merged_tags(sentence("Rio Grande", (label, 0, 2)), "gmb") == [f"B-{merged}", f"E-{merged}"]


@pytest.mark.parametrize("text", ["Friday", "1998", "July", "last week", "the 1990s", "two years"])
def test_gmb_tim_with_a_word_of_time_is_a_date(text):
    tags = merged_tags(sentence(text, ("tim", 0, len(text.split()))), "gmb")
    assert {tag.partition("-")[2] for tag in tags} == {"DATE"}


def test_gmb_tim_without_one_is_unknown_to_training_and_nothing_to_scoring():
    recent = sentence("recent Iraq", ("tim", 0, 1), ("geo", 1, 2))
    assert allowed_tags(recent, "gmb") == (UNKNOWN, frozenset(["S-LOC"]))
    assert merged_tags(recent, "gmb") == ["O", "S-LOC"]


@pytest.mark.parametrize(
    ("corpus", "label", "outside"),
    [
        ("gmb", "per", {"O"}),
        ("wikigold", "PER", ANY_DATE),
        ("btc", "PER", ANY_DATE_OR_MISC),
        ("wnut17", "person", ANY_DATE_OR_MISC),
    ],
)
def test_what_a_corpus_does_not_annotate_may_hide_under_its_o(corpus, label, outside):
    first, second = allowed_tags(sentence("Ann sings", (label, 0, 1)), corpus)
    assert first == {"S-PER"}
    assert second == outside


@pytest.mark.parametrize("corpus", ["gmb", "wikigold", "btc", "wnut17"])
def test_money_is_found_among_words_that_are_nothing_else(corpus):
    allowed = allowed_tags(sentence("for $ 3 now"), corpus)
    assert allowed[1:3] == (frozenset(["B-MONEY"]), frozenset(["E-MONEY"]))


def test_money_never_overrules_an_annotator():
    allowed = allowed_tags(sentence("$ 9 Million Man", ("MISC", 1, 4)), "wikigold")
    assert [sorted(tags) for tags in allowed[1:]] == [["B-MISC"], ["I-MISC"], ["E-MISC"]]
    assert allowed[0] == ANY_DATE


def test_without_annotation_parts_of_speech_say_what_a_word_cannot_be():
    rows = "Ann/PROPN/NNP paid/VERB/VBD $/SYM/$ 3/NUM/CD on/ADP/IN Friday/PROPN/NNP of/ADP/IN May/PROPN/NNP"
    words, upos, xpos = zip(*(row.split("/") for row in rows.split()), strict=True)
    allowed = allowed_tags(TaggedSentence(words=words, tags={"upos": upos, "xpos": xpos}), "ewt")
    assert allowed[0] == UNKNOWN
    assert allowed[1] == ANY_DATE_OR_MISC  # a verb is no person, place or organisation
    assert allowed[2:4] == (frozenset(["B-MONEY"]), frozenset(["E-MONEY"]))
    assert allowed[4] == UNKNOWN
    assert allowed[5] == ANY_DATE - {"O"}
    assert allowed[7] == UNKNOWN  # a month, or a name


def test_whether_a_compound_adjective_holds_a_name_is_unknown():
    led = sentence("U.S. - led talks", ("geo", 0, 1), xpos="_ _ _ NNS")
    marked = TaggedSentence(words=led.words, tags={**led.tags, "unclear": ["yes", "yes", "yes", "no"]})
    assert allowed_tags(marked, "gmb") == (UNKNOWN, UNKNOWN, UNKNOWN, frozenset(["O"]))


def test_the_merged_scheme_is_outside_and_four_tags_a_label():
    assert len(TAGS) == 1 + 4 * 6
    assert TAGS[0] == "O"

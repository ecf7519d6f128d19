from __future__ import annotations

import pytest

from service.text.spans import Span, spans_of, tags_of
from training.corpora.entities import TAGS, UNKNOWN, allowed_tags, either, merged_tags, strip_titles
from training.corpora.examples import TaggedSentence


def any_of(*labels):
    return {"O", *(f"{prefix}-{label}" for label in labels for prefix in "BIES")}


def sentence(text, *spans, xpos=None):
    words = text.split()
    tags = {"ner": tags_of([Span(*span) for span in spans], len(words)), "xpos": (xpos or "NNP " * len(words)).split()}
    return TaggedSentence(words=words, tags=tags)


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
    ("corpus", "label", "plain", "number"),
    [
        ("gmb", "per", any_of(), any_of()),
        ("wikigold", "PER", any_of(), any_of("DATE", "TIME")),
        ("btc", "PER", any_of("MISC"), any_of("MISC", "DATE", "TIME")),
        ("wnut17", "person", any_of("MISC"), any_of("MISC", "DATE", "TIME")),
        ("slots", "PER", UNKNOWN, UNKNOWN),
        ("redocred", "PER", any_of(), any_of()),
    ],
)
def test_what_a_corpus_does_not_annotate_may_hide_under_its_o(corpus, label, plain, number):
    first, second, third = allowed_tags(sentence("Ann sang 1999", (label, 0, 1)), corpus)
    assert first == {"S-PER"}
    assert second == plain
    assert third == number  # that could be a year, but no rule says so


@pytest.mark.parametrize("corpus", ["gmb", "wikigold", "crossner", "silver"])
def test_a_number_that_no_date_holds_is_none(corpus):
    assert allowed_tags(sentence("it has 48120 bytes"), corpus)[2:] == (frozenset("O"), frozenset("O"))


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        ("for three weeks ago", (2, 3), ["three weeks ago DATE"]),
        ("on the late Friday night", (3, 4), ["late Friday night TIME"]),
        ("at 5 p.m.", (1, 3), ["5 p.m. TIME"]),
        ("in the 1990s", (2, 3), ["the 1990s DATE"]),
        ("since the Ramadan", (2, 3), ["Ramadan DATE"]),
    ],
)
def test_gmb_s_expressions_of_time_are_widened_and_parted(text, span, expected):
    tagged = sentence(text, ("tim", *span))
    spans = [(tagged.words[s.start : s.end], s.label) for s in spans_of(merged_tags(tagged, "gmb"))]
    assert [f"{' '.join(words)} {label}" for words, label in spans] == expected


@pytest.mark.parametrize(
    ("corpus", "text", "span", "tags"),
    [
        ("redocred", "an Iraqi man", ("LOC", 1, 2), ["O", "S-MISC", "O"]),
        ("redocred", "in Iraq now", ("LOC", 1, 2), ["O", "S-LOC", "O"]),
        ("redocred", "two men", ("NUM", 0, 1), ["O", "O"]),
        ("silver", "the Acme Band 's", ("ORG", 0, 4), ["O", "B-ORG", "E-ORG", "O"]),
        ("silver", "about 3,900 men", ("MONEY", 1, 2), ["O", "O", "O"]),
        ("silver", "South Koreans left", ("NORP", 0, 2), ["B-MISC", "E-MISC", "O"]),
        ("sec-filings", "Borrower shall pay", ("PER", 0, 1), ["O", "O", "O"]),
        ("re3d", "the rebels left", ("ORG", 0, 2), ["O", "O", "O"]),
        ("re3d", "the New Army left", ("ORG", 0, 3), ["O", "B-ORG", "E-ORG", "O"]),
        ("crossner", "by linear regression", ("MISC", 1, 3), ["O", "O", "O"]),
        ("slots", "call robert", ("PER", 1, 2), ["O", "O"]),
    ],
)
def test_spans_of_the_open_corpora_in_the_merged_scheme(corpus, text, span, tags):
    assert merged_tags(sentence(text, span), corpus) == tags


@pytest.mark.parametrize(
    ("corpus", "text", "span", "place"),
    [
        ("silver", "about 3,900 men", ("MONEY", 1, 2), 1),
        ("silver", "the Rebellion Act", ("LAW", 1, 3), 2),
        ("sec-filings", "Borrower shall pay", ("PER", 0, 1), 0),
        ("crossner", "by linear regression", ("MISC", 1, 3), 1),
    ],
)
def test_what_a_corpus_says_but_cannot_be_trusted_on_is_unknown(corpus, text, span, place):
    assert allowed_tags(sentence(text, span), corpus)[place] == UNKNOWN


def test_two_opinions_widen_names_but_never_amounts_or_times():
    allowed = (frozenset(["S-ORG"]), frozenset(["O"]), frozenset(["S-DATE"]), UNKNOWN)
    assert either(allowed, ["S-PER", "S-MONEY", "S-PER", "S-PER"]) == (
        {"S-ORG", "S-PER"},
        {"O"},
        {"S-DATE"},
        UNKNOWN,
    )


@pytest.mark.parametrize("corpus", ["gmb", "wikigold", "btc", "wnut17"])
def test_money_is_found_among_words_that_are_nothing_else(corpus):
    allowed = allowed_tags(sentence("for $ 3 now"), corpus)
    assert allowed[1:3] == (frozenset(["B-MONEY"]), frozenset(["E-MONEY"]))


def test_money_never_overrules_an_annotator():
    allowed = allowed_tags(sentence("$ 9 Million Man", ("MISC", 1, 4)), "wikigold")
    assert [sorted(tags) for tags in allowed[1:]] == [["B-MISC"], ["I-MISC"], ["E-MISC"]]
    assert allowed[0] == {"O"}


def test_without_annotation_parts_of_speech_say_what_a_word_cannot_be():
    rows = "Ann/PROPN/NNP paid/VERB/VBD $/SYM/$ 3/NUM/CD on/ADP/IN May/PROPN/NNP of/ADP/IN 1999/NUM/CD"
    words, upos, xpos = zip(*(row.split("/") for row in rows.split()), strict=True)
    allowed = allowed_tags(TaggedSentence(words=words, tags={"upos": upos, "xpos": xpos}), "ewt")
    assert allowed[0] == UNKNOWN
    assert allowed[1] == any_of("MISC")  # a verb is no person, place or organisation
    assert allowed[2:4] == (frozenset(["B-MONEY"]), frozenset(["E-MONEY"]))
    assert allowed[4] == UNKNOWN
    assert allowed[5:8] == (frozenset(["B-DATE"]), frozenset(["I-DATE"]), frozenset(["E-DATE"]))


def test_whether_a_compound_adjective_holds_a_name_is_unknown():
    led = sentence("U.S. - led talks", ("geo", 0, 1), xpos="_ _ _ NNS")
    marked = TaggedSentence(words=led.words, tags={**led.tags, "unclear": ["yes", "yes", "yes", "no"]})
    assert allowed_tags(marked, "gmb") == (UNKNOWN, UNKNOWN, UNKNOWN, frozenset(["O"]))


def test_the_merged_scheme_is_outside_and_four_tags_a_label():
    assert len(TAGS) == 1 + 4 * 8
    assert TAGS[0] == "O"

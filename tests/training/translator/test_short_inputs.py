"""Short strings, casing and cases, with answers that are known to be right or wrong."""

from __future__ import annotations

import pytest

pytest.importorskip("sacrebleu")

from tests.training.translator.dictionary_translator import LANGUAGES, system
from training.translator import cases, casing, short_strings
from training.translator.answers import Answer
from training.translator.cases import Case, Expectation, complaints, read_cases
from training.translator.short_strings import ShortString, is_right, plain, read_strings


def test_there_are_sixty_strings_with_translations_in_every_language():
    strings = read_strings()
    assert len({string.text for string in strings}) == 60
    assert all(set(string.accepted) == set(LANGUAGES) and all(string.accepted.values()) for string in strings)


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("¡La Contraseña!", "es", "contraseña"),
        ("L’identifiant", "fr", "identifiant"),
        ("  Mot  de passe :", "fr", "mot de passe"),
        ("„Das Passwort“", "de", "passwort"),
        ("Laden", "de", "laden"),
    ],
)
def test_case_articles_and_punctuation_do_not_matter(text, language, words):
    assert plain(text, language) == words


def test_one_of_the_accepted_translations_is_right():
    string = ShortString(text="Save", accepted={"es": ["guardar", "salvar"]})
    assert is_right(string, "Guardar.", "es")
    assert not is_right(string, "Guardado", "es")


def test_right_strings_are_counted_and_wrong_ones_listed():
    strings = read_strings()
    first = {string.text: string.accepted["de"][0].title() for string in strings[:50]}
    figures = short_strings.measure(system(lambda *_: "?", known=first), ("de",), strings)
    (german,) = figures.languages
    assert (german.right, german.strings, len(german.wrong)) == (50, 60, 10)
    assert "50" in "".join(short_strings.as_markdown(figures))


def test_there_are_forty_sentences_with_references():
    sentences = casing.read_sentences()
    assert len(sentences) == 40
    assert all(set(sentence) == {"en", *LANGUAGES} for sentence in sentences)


def test_a_translator_that_keeps_capitals_loses_nothing():
    sentences = casing.read_sentences()
    translations = {}
    for each in sentences:
        translations |= {each["en"]: each["fr"], each["en"].upper(): each["fr"].upper()}
        translations[casing.title_case(each["en"])] = each["fr"]
    figures = casing.measure(system(known=translations), ("fr",), sentences)
    (french,) = figures.languages
    assert (french.plain, french.capitals_ratio, french.title_ratio) == (100, 1, 1)
    assert len(casing.as_markdown(figures, num_examples=1)) < len(casing.as_markdown(figures))


def test_small_letters_for_capitals_cost():
    sentences = casing.read_sentences()
    translations = {writing(each["en"]): each["es"] for each in sentences for writing in (str, str.upper)}
    (spanish,) = casing.measure(system(known=translations), ("es",), sentences).languages
    assert spanish.capitals_ratio < 0.3


def test_cases_are_for_known_languages_and_say_what_is_expected():
    found = read_cases()
    assert {language for case in found for language in case.expected} == set(LANGUAGES)
    assert len({case.input for case in found}) == len(found)
    assert all(any(expected != Expectation() for expected in case.expected.values()) for case in found)


def case(**expected) -> Case:
    return Case(kind="made up", input="Hello {0}", expected={"es": Expectation(**expected)})


@pytest.mark.parametrize(
    ("expected", "right", "wrong"),
    [
        (dict(must_contain=["{0}"]), "Hola {0}", "Hola"),
        (dict(must_contain=["«|“"]), "“Hola”", "Hola"),
        (dict(must_not_contain=["Hello"]), "hello", "Hello"),
        (dict(words=["HOLA|buenas"]), "Hola", "Adiós"),
        (dict(one_of=["Hola", "Buenas"]), "¡Buenas!", "Hola a todos"),
        (dict(no_repetition=True), "uno dos tres cuatro", "uno dos tres cuatro uno dos tres cuatro"),
    ],
)
def test_what_is_expected_of_a_translation(expected, right, wrong):
    assert complaints(case(**expected), Answer(translation=right), "es") == []
    assert len(complaints(case(**expected), Answer(translation=wrong), "es")) == 1


@pytest.mark.parametrize(("confidence", "num_complaints"), [(0.2, 0), (0.7, 1), (None, 1)])
def test_low_confidence_may_be_expected(confidence, num_complaints):
    answer = Answer(translation="x", confidence=confidence)
    assert len(complaints(case(confidence_below=0.5), answer, "es")) == num_complaints


def test_shares_are_by_kind_and_only_of_languages_that_a_case_is_for():
    both = [
        Case(kind="a", input="{0}", expected={"es": Expectation(must_contain=["{0}"])}),
        Case(kind="a", input="x", expected={"es": Expectation(must_contain=["y"])}),
        Case(kind="b", input="x", expected={"de": Expectation(must_contain=["x"])}),
    ]
    spanish, german = (figures := cases.measure(system(), ("es", "de"), both)).languages
    assert [(each.kind, each.cases, each.right) for each in spanish.kinds] == [("a", 2, 1)]
    assert [(each.kind, each.cases, each.right) for each in german.kinds] == [("b", 1, 1)]
    assert any("'x' → 'x'" in line for line in cases.as_markdown(figures))

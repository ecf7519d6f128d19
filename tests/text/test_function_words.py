from __future__ import annotations

import pytest

from service.text.function_words import likeliest_language

ALL = ("de", "en", "es", "fr")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The invoice is attached to this message.", "en"),
        ("No puedo entrar en mi cuenta desde ayer.", "es"),
        ("¿Dónde estás?", "es"),
        ("Ich kann mich seit gestern nicht anmelden.", "de"),
        ("Können Sie mir helfen?", "de"),
        ("Je n'arrive pas à me connecter à mon compte.", "fr"),
        ("Où se trouve la gare ?", "fr"),
        ("LE FICHIER EST INTROUVABLE", "fr"),
    ],
)
def test_function_words_tell_the_language(text: str, language: str) -> None:
    found, share = likeliest_language(text, ALL)
    assert found == language
    assert share > 0.4


def test_without_a_hint_it_is_the_first_one() -> None:
    assert likeliest_language("", ("es", "de")) == ("es", 0.0)
    assert likeliest_language("12345 OK", ("pl", "de")) == ("pl", 0.0)


def test_of_a_long_text_the_beginning_is_read() -> None:
    assert likeliest_language("ich und du " * 1000 + "the cat is on it " * 10_000, ALL)[0] == "de"


def test_only_the_languages_in_question_count() -> None:
    assert likeliest_language("The cat sat on the mat.", ("de", "fr"))[0] in {"de", "fr"}

"""Brackets, quotation marks and Spanish opening marks that a translation lost."""

from __future__ import annotations

import string

import pytest

from service.text.placeholders.restoration import Style
from tests.text.placeholders.test_restoration import translate

ALPHABET = frozenset(string.ascii_letters + ' .,!?()[]"“”«»„¿¡ñíá')


@pytest.mark.parametrize(
    ("source", "target", "alignment", "expected"),
    [
        ("The dog (a big one) sleeps.", "El perro (uno grande duerme.", "0-0 1-1 2-2 3-3 4-4 5-4 7-5 8-6",
         "El perro (uno grande) duerme."),
        ("The dog (a big one) sleeps.", "El perro uno grande) duerme.", "0-0 1-1 3-2 4-3 5-3 6-4 7-5 8-6",
         "El perro (uno grande) duerme."),
        ('He said "it is late".', "Dijo «es tarde.", "0-0 1-0 2-1 3-2 4-2 5-3 7-4", "Dijo «es tarde»."),
        ('He said "it is late".', 'Dijo es tarde".', "0-0 1-0 3-1 4-1 5-2 6-3 7-4", 'Dijo "es tarde".'),
        ("The dog (a big one) sleeps.", "El perro grande duerme.", "", "El perro grande duerme."),
        ("Is it late?", "Es tarde?", "", "¿Es tarde?"),
        ('"Is it late?', '"Es tarde?', "", '"¿Es tarde?'),
        ("Is it late?", "¿Es tarde?", "", "¿Es tarde?"),
        ("How big!", "Grande!", "", "¡Grande!"),
        ("Tom, is it late?", "Tom, ¿es tarde?", "", "Tom, ¿es tarde?"),
        ("It is late.", "Es tarde?", "", "Es tarde?"),
    ],
)  # fmt: skip
def test_a_lost_mark_is_put_back(source: str, target: str, alignment: str, expected: str) -> None:
    assert translate(source, target, alignment, alphabet=ALPHABET).text == expected


def test_only_spanish_has_opening_marks_and_only_characters_of_the_alphabet_are_written() -> None:
    assert translate("Is it late?", "Es tarde?", language="fr").text == "Es tarde?"
    style = Style(language="es", alphabet=ALPHABET - {"¿"})
    assert translate("Is it late?", "Es tarde?", alphabet=style.alphabet).text == "Es tarde?"

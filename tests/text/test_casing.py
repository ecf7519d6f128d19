"""Sentences in capitals and titles become sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.casing import Casing, begin_alike, casing_of, in_capitals, sentence_case


@pytest.mark.parametrize(
    ("text", "casing", "sentence"),
    [
        ("DO NOT TOUCH.", Casing.CAPITALS, "Do not touch."),
        ("WHERE IS THE STATION?", Casing.CAPITALS, "Where is the station?"),
        ("I'M SURE I'VE IT", Casing.CAPITALS, "I'm sure I've it"),
        ("WARNING!", Casing.CAPITALS, "Warning!"),
        ("THE \ue000 IS IN LONDON", Casing.CAPITALS, "The \ue000 is in London"),
        ("How To Learn A Language", Casing.TITLE, "How to learn a language"),
        ("Terms and Conditions", Casing.TITLE, "Terms and conditions"),
        ("Your New USB Drive From London", Casing.TITLE, "Your new USB drive from London"),
        ("Forgot Your Password", Casing.TITLE, "Forgot your password"),
        ("The Shop Is Closed On Sunday.", Casing.TITLE, "The shop is closed on sunday."),
        ("Click Save now.", Casing.SENTENCE, "Click Save now."),
        ("Click Save now", Casing.SENTENCE, "Click Save now"),
        ("Ask Anna Smith.", Casing.SENTENCE, "Ask Anna Smith."),
        ("Ask Anna Smith", Casing.SENTENCE, "Ask Anna Smith"),
        ("Ask Anna Maria Smith;", Casing.SENTENCE, "Ask Anna Maria Smith;"),
        ("NASA", Casing.SENTENCE, "NASA"),
        ("The NASA said so.", Casing.SENTENCE, "The NASA said so."),
        ("I am", Casing.SENTENCE, "I am"),
        ("Mr. Brown lives in London.", Casing.SENTENCE, "Mr. Brown lives in London."),
        ("Tom met Mary", Casing.SENTENCE, "Tom met Mary"),
        ("", Casing.SENTENCE, ""),
    ],
)
def test_what_is_no_sentence_is_written_as_one(text: str, casing: Casing, sentence: str) -> None:
    assert casing_of(text) is casing
    assert sentence_case(text, casing, length_of) == sentence


def length_of(text: str) -> int:
    """London is one subword, and cannot be spelled small with so few."""
    return 3 if text == "london" else 1


@given(st.text(), st.sampled_from(Casing))
def test_the_length_stays(text: str, casing: Casing) -> None:
    casing_of(text)
    assert len(sentence_case(text, casing, length_of)) == len(text)


def test_capitals_are_of_the_alphabet() -> None:
    assert in_capitals("año ß", frozenset("ANOS o")) == "AñO SS"
    assert in_capitals("año", frozenset("AÑO")) == "AÑO"


@pytest.mark.parametrize(
    ("source", "translation", "written"),
    [
        ("It cost 5 dollars.", "costó 5 dólares.", "Costó 5 dólares."),
        ("It cost 5 dollars.", "Costó 5 dólares.", "Costó 5 dólares."),
        ("it cost 5 dollars.", "costó 5 dólares.", "costó 5 dólares."),
        ("Are you here?", "¿estás aquí?", "¿estás aquí?"),
        ("Write to a@b.com, please.", "a@b.com es la dirección.", "a@b.com es la dirección."),
        ("We met at last.", "a las dos.", "A las dos."),  # "at" holds an "a" and is another word
        ("Hund", "dog", "dog"),
        ("It is odd.", "ñu.", "ñu."),  # whose capital this network cannot write
        ("It is odd.", "ßa", "ßa"),
        ("It is.", "", ""),
    ],
)
def test_a_sentence_with_a_capital_has_a_translation_with_one(source: str, translation: str, written: str) -> None:
    assert begin_alike(source, translation, frozenset("aAbcC")) == written

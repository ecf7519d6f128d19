"""Words and lists that a translator practises: chosen from dictionaries by the sentences of the run."""

from __future__ import annotations

import numpy as np
import pytest

from training.corpora.parallel import Pair
from training.translator.lexicon import (
    Sentences,
    associated,
    chosen,
    english_plurals,
    french_plural,
    lexicon_pairs,
    plurals,
    spanish_plural,
)


def pairs_of(*sentences: tuple[str, str], language: str = "es") -> list[Pair]:
    return [Pair(source=source, references=(target,), target_language=language) for source, target in sentences]


DOGS = pairs_of(
    ("The dog began to bark.", "El perro empezó a ladrar."),
    ("The bark of that dog.", "El ladrido de ese perro."),
    ("A bee at night!", "Una abeja, de noche."),
)


def test_a_word_has_the_translation_that_its_sentences_have():
    entries = {"bark": ["corteza", "ladrido"], "to bark": ["aullar", "ladrar"], "night": ["oscuridad", "noche"]}
    found = dict(chosen(entries, Sentences.of(DOGS)))
    assert found == {"bark": "ladrido", "to bark": "ladrar", "night": "noche"}


def test_other_forms_of_a_translation_count_less_than_itself():
    sentences = Sentences.of(pairs_of(*[("One printer here.", "Una impresora aquí.")] * 3))
    assert dict(chosen({"printer": ["impresor", "impresora"]}, sentences)) == {"printer": "impresora"}


def test_many_sentences_without_any_of_its_translations_speak_against_an_entry():
    many = pairs_of(*[("Open the page now.", "Abre la hoja ahora.")] * 6, ("He was a good boy.", "Era un buen paje."))
    assert dict(chosen({"page": ["paje"]}, Sentences.of(many))) == {}


def test_few_sentences_leave_an_entry_its_first_known_translation():
    sentences = Sentences.of(pairs_of(("Some soap there.", "Algo allí."), ("I like it a lot.", "Me gusta el jabón.")))
    assert dict(chosen({"soap": ["sopín", "jabón"]}, sentences)) == {"soap": "jabón"}


def test_plurals_are_taught_where_both_sides_have_them():
    seen = Sentences.of(
        pairs_of(("Two thieves ran away.", "Dos ladrones huyeron."), ("My two cars.", "Mis dos autos."))
    )
    assert dict(plurals({"thief": "ladrón", "car": "coche", "soap": "jabón"}, "es", seen)) == {"thieves": "ladrones"}


@pytest.mark.parametrize(
    ("plural", "noun", "expected"),
    [
        (spanish_plural, "casa", "casas"),
        (spanish_plural, "luz", "luces"),
        (spanish_plural, "ladrón", "ladrones"),
        (spanish_plural, "árbol", "árboles"),
        (spanish_plural, "lunes", "lunes"),
        (french_plural, "cheval", "chevaux"),
        (french_plural, "bateau", "bateaux"),
        (french_plural, "nez", "nez"),
        (french_plural, "porte", "portes"),
    ],
)
def test_regular_plurals(plural, noun, expected):
    assert plural(noun) == expected


def test_an_english_noun_may_have_several_plurals():
    assert [english_plurals(each) for each in ("city", "thief", "box", "day")] == [
        ["cities"],
        ["thieves", "thiefs"],
        ["boxes"],
        ["days", "dayes"],
    ]


def test_a_rare_word_that_dictionaries_lack_is_learned_from_its_sentences_in_its_usual_spelling():
    onions = [
        ("Cut the onions now.", "Schneide die Zwiebeln jetzt."),
        ("More onions, please.", "Mehr Zwiebeln, bitte."),
    ]
    others = [("Cut the bread now.", "Schneide das Brot jetzt."), ("More of it?", "Mehr davon?")]
    sentences = Sentences.of(pairs_of(*onions * 3, *others * 20, language="de"))
    assert associated(sentences, without={"cut"})["onions"] == "Zwiebeln"
    assert "onions" not in associated(sentences, without={"onions"})


def test_lists_hold_entries_in_the_same_order_on_both_sides_without_common_and_very_rare_words(tmp_path):
    folder = tmp_path / "headwords"
    folder.mkdir()
    (folder / "deu-eng.txt").write_text(
        "Biene {f} | Bienen {pl} :: bee | bees\nDieb {m} :: thief\nSeife {f} :: soap\nbellen :: to bark\n"
        "Nacht {f} :: night\nOlm {m} :: olm\n"
    )
    pairs = pairs_of(
        ("The bees and the thief bark.", "Die Bienen und der Dieb bellen."),
        ("The bee ate soap all night.", "Die Biene aß die ganze Nacht Seife."),
        ("The olm slept all night.", "Der Olm schlief die ganze Nacht."),
        language="de",
    )
    found = {pair.source: pair.target for pair in lexicon_pairs(pairs, "de", tmp_path, np.random.default_rng(1))}
    words = {"bee": "Biene", "bees": "Bienen", "thief": "Dieb", "soap": "Seife", "to bark": "bellen"}
    assert {source: target for source, target in found.items() if ", " not in source} == words
    lists = {source: target for source, target in found.items() if ", " in source}
    assert lists
    for source, target in lists.items():
        assert [words[each] for each in source.split(", ")] == target.split(", ")

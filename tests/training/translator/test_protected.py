"""The generator of protected items, and the check that does not depend on how the service finds them."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("sacrebleu")

from tests.training.translator.dictionary_translator import LANGUAGES, system
from training.translator.answers import Answer
from training.translator.protected import as_markdown, check, measure, of_language
from training.translator.protected_items import (
    Item,
    ProtectedSentence,
    additions,
    generate,
    occurrences,
    read_kinds,
)

SENTENCES = generate(read_kinds())


def sentence(text: str, *literals: str) -> ProtectedSentence:
    items = [Item(kind="made up", surface=literal, literals=(literal,)) for literal in literals]
    return ProtectedSentence(text=text, items=items)


def test_the_same_seed_gives_the_same_sentences():
    assert [each.text for each in generate(read_kinds(), number=20)] == [each.text for each in SENTENCES[:20]]


def test_one_to_four_items_and_every_kind_are_equally_frequent():
    assert Counter(len(each.items) for each in SENTENCES) == {1: 75, 2: 75, 3: 75, 4: 75}
    kinds = Counter(item.kind for each in SENTENCES for item in each.items)
    assert set(kinds) == {kind.name for kind in read_kinds()}
    assert min(kinds.values()) >= 20


def test_sentences_hold_their_items_and_keep_themselves():
    for each in SENTENCES:
        assert all(item.surface in each.text for item in each.items)
        assert "§" not in each.text
        assert "ITEM" not in each.text
        assert check(each, each.text) is None


@pytest.mark.parametrize(
    ("literal", "text", "count"),
    [
        ("12", "12 and 12,5 but not 112 or 123", 2),
        ("-5", "from -5 to -55", 1),
        ("{0}", "{0}{0}", 2),
        ("3-2", "13-2 and 3-2.", 1),
        ("%s", "%s, %%s", 2),
    ],
)
def test_digits_at_an_edge_are_not_those_of_a_longer_number(literal, text, count):
    assert occurrences(literal, text) == count


def test_what_is_lost_and_what_is_said_twice_is_told():
    failure = check(sentence("Give {0} to {1}.", "{0}", "{1}"), "Dale {0} a {0}.")
    assert failure.wrong == {"{0}": "1 -> 2", "{1}": "1 -> 0"}


def test_what_is_invented_is_told():
    assert additions(sentence("It was -5 degrees.", "-5"), "Hacía -5 grados, 30%.") == "%03"
    assert check(sentence("It was -5 degrees.", "-5"), "Hacía 5 grados.").wrong == {"-5": "1 -> 0"}


def test_a_system_that_copies_keeps_everything():
    figures = measure(system(), LANGUAGES, SENTENCES[:40])
    assert [(each.language, each.kept) for each in figures.languages] == [(each, 40) for each in LANGUAGES]


def test_a_system_without_digits_is_caught():
    figures = measure(system(lambda text, _: text.replace("1", "")), ("es",), SENTENCES)
    (spanish,) = figures.languages
    assert spanish.kept < 300
    assert len(spanish.failures) == 300 - spanish.kept
    lost = {each.kind: each.kept - each.sentences for each in spanish.kinds}
    assert lost["url"] == 0 or lost["date"] < 0
    assert any(line.startswith("- es: ") for line in as_markdown(figures))


def test_every_hypothesis_counts():
    answers = [Answer(translation="Dale {0}.", hypotheses=("Dale {0}.", "Dale {1}.", "Da {0}."))]
    found = of_language("es", [sentence("Give {0}.", "{0}")], answers)
    assert (found.translations, found.kept) == (3, 2)

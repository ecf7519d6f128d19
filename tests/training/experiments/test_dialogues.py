"""What the grammar's dialogues promise to whoever trains on them."""

from __future__ import annotations

import pytest

from training.experiments.dialogues import DialogueMaker, fill, values_of


@pytest.fixture
def maker() -> DialogueMaker:
    return DialogueMaker(seed=1, num_values=10, made_up=0.5)


@pytest.mark.parametrize("kind", ["name", "town", "job", "liking", "timer"])
@pytest.mark.parametrize("distance", [1, 4])
def test_what_was_told_turns_ago_is_asked_for_last(maker, kind, distance):
    for _ in range(20):
        dialogue = maker.dialogue(5, asked=kind, distance=distance)
        last = dialogue[-1]
        assert (len(dialogue), last.asked, last.distance) == (5, kind, distance)
        assert last.value.lower() in dialogue[-1 - distance].user.lower()
        assert last.value.lower() in last.bot.lower()


def test_an_answer_is_the_latest_value_that_was_told(maker):
    corrected = 0
    for _ in range(300):
        told: dict[str, str] = {}
        for turn in maker.dialogue(10):
            if turn.asked:
                assert turn.value == told.get(turn.asked, "")
                assert turn.value or turn.bot == "You have not told me yet."
                corrected += turn.is_corrected
            elif turn.value:
                told |= {kind: turn.value for kind in maker.kinds if _is_told(maker, kind, turn.user, turn.value)}
    assert corrected > 10


def _is_told(maker: DialogueMaker, kind: str, said: str, value: str) -> bool:
    from training.experiments.dialogues import grammar

    fact = grammar()["facts"][kind]
    return any(fill(template, value) == said for template in (*fact["tell"], *fact["correct"]))


def test_the_same_seed_makes_the_same_dialogues():
    first, second = (DialogueMaker(seed=3, made_up=0.5).dialogue(8) for _ in range(2))
    assert first == second


def test_made_up_names_are_not_those_of_the_list(maker):
    names = {maker.value("name") for _ in range(200)}
    assert names - set(values_of("name"))
    assert names & set(values_of("name", 10))


def test_a_sentence_begins_with_a_capital_and_has_its_article():
    assert fill("{x} is a lovely place.", "riga") == "Riga is a lovely place."
    assert fill("I am {an} {x}.", "actor") == "I am an actor."
    assert fill("I am {an} {x}.", "pilot") == "I am a pilot."

"""What the grammar's dialogues promise to whoever trains on them."""

from __future__ import annotations

import pytest

from training.experiments.dialogues import UNLISTED, DialogueMaker, fill, unlisted_answer, values_of

UNKNOWN = {"You have not told me yet.", *(unlisted_answer(kind) for kind in ("name", "town", "job", "liking"))}


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
                assert turn.value == told.get(turn.asked, "").removesuffix(UNLISTED)
                assert turn.value or turn.bot in UNKNOWN
                corrected += turn.is_corrected
            else:
                new = {kind: value for kind, value in turn.known.items() if told.get(kind) != value}
                assert all(value in (turn.value, UNLISTED) for value in new.values())
                assert all(turn.value in turn.user and turn.value in turn.bot for value in new.values())
                told |= new
            assert turn.known == told
    assert corrected > 10


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


def test_the_bot_says_that_it_does_not_know_a_value_of_no_list():
    inventor = DialogueMaker(seed=2, num_values=10, made_up=1.0)
    dialogue = inventor.dialogue(5, asked="name", distance=3)
    assert [dialogue[i].bot for i in (1, 4)] == ["I'm afraid I do not know that name."] * 2
    assert dialogue[-1].known["name"] == UNLISTED


def test_careless_users_leave_out_capitals_and_stops():
    plain, careless = (DialogueMaker(seed=4, careless=share).dialogue(60) for share in (0.0, 1.0))
    assert all(turn.user[0].isupper() for turn in plain if turn.user[0].isalpha())
    assert sum(turn.user.islower() for turn in careless) > 20
    assert sum(turn.user[-1].isalnum() for turn in careless) > 20


def test_one_line_can_tell_two_things():
    dialogue = DialogueMaker(seed=5, joined=1.0).dialogue(4)
    both = next(turn for turn in dialogue if len(turn.known) == 2)
    assert all(value in both.user and value in both.bot for value in both.known.values())

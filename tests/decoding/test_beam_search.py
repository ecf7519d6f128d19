"""Iteration-level decoding: whatever goes along with a sentence, its answer is the one it gets alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.decoding.beam_search import MAX_ENCODED_CELLS, MAX_ENCODED_SOURCES, BeamSearch
from service.decoding.search import EncoderOutputs, Hypotheses, Search, StepInputs, StepOutputs
from service.decoding.sentence_search import EncoderMemory
from service.text.pipeline import Batch
from tests.decoding import reference_search
from tests.decoding.invented_model import LOOP, TIE, InventedModel, search


@dataclass(slots=True, eq=False)
class Caller:
    """Brings a sentence at one step and may leave at another."""

    search: Search
    comes_at: int = 0
    leaves_at: int | None = None
    answers: list[Hypotheses] = field(default_factory=list)
    finished_at: int | None = None

    def is_gone(self, step: int) -> bool:
        return self.leaves_at is not None and step >= self.leaves_at


def decode_all(model: InventedModel, callers: Sequence[Caller], *, max_rows: int = 128) -> int:
    """Every caller's answer, in the order of arrival. The number of steps."""
    beams: BeamSearch[Caller] = BeamSearch(model, max_rows=max_rows)
    waiting, step = sorted(callers, key=lambda each: each.comes_at), 0
    while waiting or len(beams):
        waiting = [each for each in waiting if not each.is_gone(step)]
        beams.drop(lambda each: each.is_gone(step))  # noqa: B023
        assert not any(each.is_gone(step) for each in beams.items)
        room = beams.room
        taken: list[Caller] = []
        while waiting and waiting[0].comes_at <= step and waiting[0].search.beam_size <= room:
            taken.append(waiting.pop(0))
            room -= taken[-1].search.beam_size
        beams.admit(taken)
        assert beams.live_rows <= max_rows
        for run in beams.step():
            assert 1 <= run.num_rows <= max_rows
            for each in run.finished:
                each.item.answers.append(each.answer)
                each.item.finished_at = step
        step += 1
    assert beams.live_rows == 0
    return step


def assert_equal(found: Hypotheses, expected: Hypotheses) -> None:
    assert [(each.ids, each.score, each.is_complete) for each in found] == [
        (each.ids, each.score, each.is_complete) for each in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert one.attention.dtype == np.float32
        np.testing.assert_array_equal(one.attention, other.attention)


def assert_as_alone(model: InventedModel, callers: Sequence[Caller]) -> None:
    for each in callers:
        if each.leaves_at is None:
            assert_equal(each.answers[0], reference_search.decode(model, each.search))
        assert len(each.answers) <= 1


@st.composite
def searches(draw: st.DrawFn) -> Search:
    beam_size = draw(st.sampled_from((1, 1, 2, 3, 4, 8)))
    words = draw(st.lists(st.integers(4, 60), min_size=1, max_size=draw(st.sampled_from((3, 16, 17, 40)))))
    start = draw(st.sampled_from(([], [], [], [TIE], [LOOP, 1], [LOOP, 3], [LOOP, 4])))
    return search(
        *start,
        *words,
        beam_size=beam_size,
        num_hypotheses=draw(st.integers(1, beam_size)),
        length_penalty=draw(st.sampled_from((0.0, 0.6, 1.0, 1.3))),
        max_tokens=draw(st.sampled_from((1, 2, 5, 12, 40))),
    )


CALLERS = st.builds(
    Caller, searches(), comes_at=st.integers(0, 12), leaves_at=st.none() | st.none() | st.integers(0, 20)
)
MODELS = st.builds(
    InventedModel, vocabulary_size=st.sampled_from((6, 9, 14, 40)), eos_bonus=st.sampled_from((-1.0, 0.0, 1.0, 3.0))
)


@given(MODELS, st.lists(CALLERS, min_size=1, max_size=14), st.integers(8, 40))
def test_every_mix_gives_each_sentence_the_answer_it_gets_alone(
    model: InventedModel, callers: list[Caller], max_rows: int
) -> None:
    decode_all(model, callers, max_rows=max_rows)
    assert_as_alone(model, callers)


@pytest.mark.parametrize("seed", range(10))
def test_a_crowd_gives_each_sentence_the_answer_it_gets_alone(seed: int) -> None:
    chance = random.Random(seed)
    model = InventedModel(vocabulary_size=chance.choice((8, 14, 30)), eos_bonus=chance.choice((0.5, 1.5, 2.5)))
    callers = [Caller(any_search(chance), comes_at=chance.randrange(30)) for _ in range(40)]
    decode_all(model, callers, max_rows=64)
    assert_as_alone(model, callers)


def any_search(chance: random.Random) -> Search:
    beam_size = chance.choice((1, 1, 2, 3, 4, 4, 6, 16))
    return search(
        *(chance.randrange(4, 60) for _ in range(chance.choice((1, 5, 16, 17, 33, 70)))),
        beam_size=beam_size,
        num_hypotheses=chance.randint(1, beam_size),
        length_penalty=chance.choice((0.0, 0.6, 1.0, 1.3, 2.0)),
        max_tokens=chance.choice((4, 12, 30)),
    )


def answer_to(one: Search, model: InventedModel = InventedModel()) -> Hypotheses:
    """Decoded alone, and found to be what the reference says."""
    caller = Caller(one)
    decode_all(model, [caller])
    assert_as_alone(model, [caller])
    return caller.answers[0]


@pytest.mark.parametrize("beam_size", [2, 4, 16])
def test_as_many_hypotheses_as_are_wanted_spell_as_many_translations(beam_size: int) -> None:
    model = InventedModel(eos_bonus=1.5)
    for word in range(4, 24):
        found = answer_to(search(word, beam_size=beam_size, num_hypotheses=beam_size, max_tokens=30), model)
        assert len({model.surface(each.ids) for each in found}) == len(found) == beam_size


@pytest.mark.parametrize("num_words", [1, 2, 3, 4])
def test_words_are_written_three_times_in_a_row_and_no_more(num_words: int) -> None:
    one = search(LOOP, num_words, 5, max_tokens=4 * num_words)
    (found,) = answer_to(one, InventedModel(eos_bonus=-50.0))
    assert found.ids[: 3 * num_words] == 3 * found.ids[:num_words]
    assert not reference_search.loops(found.ids)


def test_equals_are_taken_in_order() -> None:
    found = answer_to(search(TIE, 5, beam_size=3, num_hypotheses=3, max_tokens=2, length_penalty=0.0))
    assert [each.ids for each in found] == [(), (4,), (4, 4)]  # </s> stands before the words


def test_at_the_cap_hypotheses_end_as_they_are() -> None:
    (found,) = answer_to(search(5, beam_size=2, max_tokens=7), InventedModel(eos_bonus=-50.0))
    assert len(found.ids) == 7
    assert not found.is_complete
    assert found.attention.shape == (7, 1)


def test_complete_ones_come_first() -> None:
    model = InventedModel(eos_bonus=0.8)
    kinds = [
        [each.is_complete for each in answer_to(search(word, beam_size=4, num_hypotheses=4, max_tokens=5), model)]
        for word in range(4, 40)
    ]
    assert all(each == sorted(each, reverse=True) for each in kinds)
    assert any(len(set(each)) == 2 for each in kinds)


def test_a_short_sentence_is_answered_while_a_long_one_goes_on() -> None:
    model = InventedModel(eos_bonus=-50.0)
    long, short = Caller(search(5, max_tokens=40)), Caller(search(6, max_tokens=3), comes_at=10)
    decode_all(model, [long, short])
    assert (short.finished_at, long.finished_at) == (12, 39)


def test_a_sentence_that_can_only_get_worse_is_not_decoded_to_its_cap() -> None:
    model = InventedModel(eos_bonus=2.5)
    for word in range(4, 14):
        caller = Caller(search(word, beam_size=4, max_tokens=60, length_penalty=0.0))
        decode_all(model, [caller])
        assert caller.finished_at is not None
        assert caller.finished_at < 20


class NoScores(InventedModel):
    """Every score is NaN."""

    def step(self, inputs: StepInputs) -> StepOutputs:
        outputs = super().step(inputs)
        outputs.scores[:] = np.nan
        return outputs


def test_a_model_without_scores_fails_and_whom_it_harmed_is_known() -> None:
    beams: BeamSearch[Caller] = BeamSearch(NoScores(), max_rows=8)
    callers = [Caller(search(5)), Caller(search(6, beam_size=2))]
    beams.admit(callers)
    with pytest.raises(ValueError, match="score"):
        list(beams.step())
    assert beams.clear() == callers
    assert (len(beams), beams.live_rows) == (0, 0)


@pytest.mark.parametrize("length", [3, 200, 2000])
def test_a_run_of_the_encoder_is_bounded_however_many_sentences_come_at_once(length: int) -> None:
    shapes = list[tuple[int, ...]]()

    class Recording(InventedModel):
        def encode(self, batch: Batch) -> EncoderOutputs:
            shapes.append(batch.ids.shape)
            return super().encode(batch)

    callers = [Caller(search(*[5 + number] * length, beam_size=1, max_tokens=3)) for number in range(20)]
    decode_all(Recording(), callers)
    assert sum(rows for rows, _ in shapes) == len(callers)
    assert all(rows <= MAX_ENCODED_SOURCES for rows, _ in shapes)
    assert all(rows == 1 or rows * time <= MAX_ENCODED_CELLS for rows, time in shapes)
    assert_as_alone(InventedModel(), callers)


def test_what_a_rush_took_is_given_back_after_it() -> None:
    slab = EncoderMemory(16)
    memories = {"annotations": np.ones((9, 12, 3), np.float32)}
    slab.append(np.arange(9, dtype=np.int32), memories)
    slab.remove(2)
    assert slab.lengths.tolist() == [0, 1, 8, 3, 4, 5, 6, 7]
    assert slab.memories["annotations"].shape == (8, 16, 3)
    for slot in reversed(range(8)):
        slab.remove(slot)
    assert slab.memories == {}
    slab.append(np.arange(2, dtype=np.int32), {"annotations": memories["annotations"][:2]})
    assert slab.memories["annotations"].sum() == 2 * 12 * 3

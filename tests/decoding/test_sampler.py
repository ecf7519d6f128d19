"""Iteration-level sampling: a prompt's samples are the same whenever it joins, and whoever else is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.decoding.sampler import MAX_READ_CELLS, Sampler, sample_all
from service.decoding.search import READ_TOGETHER, LanguageState, Prompt, Sample, SamplingOptions
from service.predictors.graphs import LanguageGraphs
from service.predictors.language_model import EncodedPrompt
from service.text.subwords import EOS_ID
from tests.fakes import language_pieces
from tests.fakes.language import STATE_SIZE, language_reader, language_step


@dataclass(frozen=True, eq=False)
class Called:
    """A graph as a function."""

    function: Any
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def run(self, inputs: Any) -> Any:
        self.shapes.append(inputs.get("ids", inputs.get("tokens")).shape)
        return self.function(inputs)


def model() -> LanguageGraphs:
    return LanguageGraphs(
        reader=Called(language_reader), step=Called(language_step), pieces=language_pieces(), state_size=STATE_SIZE
    )


MODEL = model()
BEGIN = LanguageState(vector=np.zeros(STATE_SIZE, np.float32), recent=np.array([EOS_ID], np.int32))


def prompt(text: str, *, seed: int = 1, num_samples: int = 1, is_streamed: bool = False, **options: Any) -> Prompt:
    continued = language_pieces().encode_prompt(text)
    return Prompt(
        before=BEGIN,
        ids=np.concatenate((BEGIN.recent, continued.ids)),
        num_samples=num_samples,
        seed=seed,
        options=SamplingOptions(**{"max_tokens": 12, **options}),
        strips_space=continued.strips_space,
        is_streamed=is_streamed,
    )


@dataclass(frozen=True, eq=False)
class Caller:
    """A prompt that comes at a step."""

    search: Prompt
    comes_at: int = 0


def told(samples: Any) -> list[tuple[object, ...]]:
    """All that a caller sees of samples."""
    return [
        (
            each.text,
            each.finish_reason,
            each.tokens,
            each.num_steps,
            each.state.vector.tolist(),
            each.state.recent.tolist(),
        )
        for each in samples
    ]


def play(callers: list[Caller], *, max_rows: int) -> dict[Caller, list[Sample]]:
    """Each caller joins at its step, if there is room, and has its samples when they are finished."""
    sampler: Sampler[Caller] = Sampler(MODEL, max_rows=max_rows)
    waiting, found, step = sorted(callers, key=lambda each: each.comes_at), {}, 0
    while waiting or len(sampler):
        taken = []
        while waiting and waiting[0].comes_at <= step and (sampler.room > 0 or not len(sampler)):
            taken.append(waiting.pop(0))
            sampler.admit(taken[-1:])
        for run in sampler.step():
            found |= {each.item: each.answer for each in run.finished}
        step += 1
    return found


CALLERS = st.builds(
    Caller,
    search=st.builds(
        prompt,
        st.sampled_from(("", "The", "I smile", "x " * 70, "你好 " * 20)),
        seed=st.integers(0, 5),
        num_samples=st.integers(1, 4),
        temperature=st.sampled_from((0.0, 1.0, 5.0)),
        top_p=st.sampled_from((0.9, 1.0)),
        repetition_penalty=st.sampled_from((1.0, 1.3)),
        stop=st.sampled_from(((), (" is",), ("e", "re"))),
        num_alternatives=st.sampled_from((0, 2)),
        max_tokens=st.integers(1, 12),
    ),
    comes_at=st.integers(0, 8),
)


@settings(max_examples=25)
@given(st.lists(CALLERS, min_size=1, max_size=10), st.sampled_from((1, 3, 32)))
def test_whenever_a_prompt_joins_its_samples_are_what_they_are_alone(callers: list[Caller], max_rows: int) -> None:
    found = play(callers, max_rows=max_rows)
    for caller in callers:
        assert told(found[caller]) == told(sample_all(MODEL, [caller.search])[0])


def test_prompts_are_read_in_pieces_between_the_steps_of_others() -> None:
    graphs = model()
    sampler: Sampler[Caller] = Sampler(graphs, max_rows=8)
    writing, reading = Caller(prompt("The", temperature=5.0, seed=3, max_tokens=40)), Caller(prompt("x " * 99))
    sampler.admit([writing])
    list(sampler.step())
    sampler.admit([reading, *(Caller(prompt("x " * 99)) for _ in range(20))])
    graphs._reader.shapes.clear()
    for _ in range(2):
        runs = list(sampler.step())
        assert len(runs) == 2  # a piece of the prompts, and a step of the one that writes
    assert all(rows * time <= MAX_READ_CELLS for rows, time in graphs._reader.shapes)
    assert all(time <= READ_TOGETHER for _, time in graphs._reader.shapes)


def test_prompts_that_are_dropped_are_gone_while_they_are_read_and_while_they_write() -> None:
    sampler: Sampler[Caller] = Sampler(MODEL, max_rows=8)
    first, second = Caller(prompt("The", num_samples=3, temperature=5.0)), Caller(prompt("x " * 99))
    sampler.admit([first, second])
    list(sampler.step())
    assert sampler.live_rows == 4
    assert sampler.drop(lambda each: each is second) == [second]
    assert sampler.drop(lambda each: each is first) == [first]
    assert (len(sampler), sampler.live_rows, list(sampler.step())) == (0, 0, [])


def test_after_a_failure_a_sampler_is_empty_and_usable() -> None:
    class Broken(LanguageGraphs):
        def step(self, *_: Any) -> Any:
            raise RuntimeError("broken")

    graphs = Broken(reader=Called(language_reader), step=Called(language_step), pieces=language_pieces(), state_size=3)
    sampler: Sampler[Caller] = Sampler(graphs, max_rows=8)
    caller = Caller(prompt("The"))
    sampler.admit([caller])
    with pytest.raises(RuntimeError):
        list(sampler.step())
    assert sampler.clear() == [caller]
    assert (len(sampler), sampler.live_rows) == (0, 0)


def test_progress_is_told_of_streamed_prompts_alone_and_is_the_whole_in_the_end() -> None:
    sampler: Sampler[Caller] = Sampler(MODEL, max_rows=8)
    streamed = Caller(prompt("The", temperature=0.0, stop=(" now",), is_streamed=True, num_samples=2))
    silent = Caller(prompt("The", temperature=0.0))
    sampler.admit([streamed, silent])
    progress: list[Any] = []
    answers: dict[Caller, list[Sample]] = {}
    while len(sampler):
        for run in sampler.step():
            progress += run.progress
            answers |= {each.item: each.answer for each in run.finished}
    assert {item for item, _ in progress} == {streamed}
    for number, sample in enumerate(answers[streamed]):
        mine = [new for _, new in progress if new.sample == number]
        assert [token for new in mine for token in new.tokens] == list(sample.tokens)
        assert [new.finished for new in mine if new.finished] == [sample]
        assert sample.text == " report is ready"


def test_an_encoded_prompt_counts_the_tokens_of_its_text() -> None:
    assert EncodedPrompt(search=prompt("The report")).num_tokens == 2

"""Beam search of one sentence at a time, written to be read: what the engine must agree with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from service.decoding.search import EncoderOutputs, Floats, Hypothesis, Search, StepInputs, StepModel, StepOutputs
from service.text.pipeline import pad

EVERYTHING = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Live:
    """A hypothesis that goes on."""

    ids: tuple[int, ...]
    total: float
    state: Floats  # (hidden,)
    attention: tuple[Floats, ...]  # (source,) for each of ids


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Continuation:
    """A live hypothesis and the token that may come next."""

    parent: Live
    token: int
    total: float
    outputs: StepOutputs  # of the parent's row


def decode(model: StepModel, search: Search) -> list[Hypothesis]:
    """The answer to one sentence. Nothing is stopped early: all places of the beam end, or come to the cap."""
    encoded = model.encode(pad([search.ids]))
    live = [Live(ids=(), total=0.0, state=encoded.state[0], attention=())]
    ended: list[Hypothesis] = []
    surfaces: set[str] = set()
    for _ in range(search.max_tokens):
        continuations = [each for parent in live for each in continuations_of(model, search, encoded, parent)]
        continuations.sort(key=lambda each: -each.total)  # it is stable
        live, num_open = [], search.beam_size - len(ended)
        for each in continuations:
            if num_open == 0:
                break
            if each.token != model.eos_id:
                live.append(longer(each, search))
            elif model.surface(each.parent.ids) in surfaces:
                continue
            else:
                surfaces.add(model.surface(each.parent.ids))
                ended.append(hypothesis(each.parent, search, total=each.total, is_complete=True))
            num_open -= 1
    for last in live:
        if model.surface(last.ids) not in surfaces:
            surfaces.add(model.surface(last.ids))
            ended.append(hypothesis(last, search, total=last.total, is_complete=False))
    ended.sort(key=lambda each: (not each.is_complete, -each.score))
    return ended[: search.num_hypotheses]


def continuations_of(model: StepModel, search: Search, encoded: EncoderOutputs, parent: Live) -> Iterator[Continuation]:
    """Best first, without those that would loop."""
    outputs = model.step(
        StepInputs(
            tokens=np.array([parent.ids[-1] if parent.ids else model.bos_id], np.int32),
            state=parent.state[None],
            sources=np.zeros(1, np.int32),
            lengths=np.array([len(search.ids)], np.int32),
            memories=encoded.memories,
            num_candidates=EVERYTHING,
        )
    )
    for score, token in zip(outputs.scores[0].tolist(), outputs.candidates[0].tolist(), strict=True):
        if score > -np.inf and not loops([*parent.ids, token]):
            yield Continuation(parent=parent, token=token, total=parent.total + score, outputs=outputs)


def loops(ids: Sequence[int]) -> bool:
    """They end with four copies of the same one to four tokens."""
    return any(len(ids) >= 4 * n and list(ids[-4 * n :]) == 4 * list(ids[-n:]) for n in range(1, 5))


def longer(each: Continuation, search: Search) -> Live:
    return Live(
        ids=(*each.parent.ids, each.token),
        total=each.total,
        state=each.outputs.state[0],
        attention=(*each.parent.attention, each.outputs.attention[0, : len(search.ids)]),
    )


def hypothesis(live: Live, search: Search, *, total: float, is_complete: bool) -> Hypothesis:
    """Its length counts the </s> of a complete one."""
    attention = np.array(live.attention, np.float32).reshape(len(live.ids), len(search.ids))
    return Hypothesis(
        ids=live.ids,
        score=total / (len(live.ids) + is_complete) ** search.length_penalty,
        attention=attention,
        is_complete=is_complete,
    )

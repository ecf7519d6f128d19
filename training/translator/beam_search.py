"""Beam search of one or several networks over a padded batch, to score runs and to write a teacher's translations.

The service decodes with its own engine, which adds sentences as they arrive; this is a simple counterpart that needs
torch alone. Both shrink a beam by the hypotheses that have ended (Bahdanau et al. 2015's code).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from service.text.subwords import BOS_ID, EOS_ID, PAD_ID
from training.networks.translator import Memory, Translator

EXTRA_TOKENS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A hypothesis that ended, or that the limit stopped."""

    ids: tuple[int, ...]  # without </s>
    score: float  # log-probability / length ** alpha, </s> counted


@dataclass(slots=True, kw_only=True, eq=False)
class _Live:
    """The hypotheses that have not ended: (sentence, beam, ...)."""

    memories: list[Memory]  # a network each
    states: list[Tensor]
    tokens: Tensor  # (sentence, beam, step)
    totals: Tensor  # (sentence, beam) log-probabilities; -inf: a place that is not taken
    places: list[int]  # (sentence,) which one of the batch it is


@torch.inference_mode()
def beam_search(
    networks: Sequence[Translator], ids: Tensor, lengths: Tensor, *, beam_size: int, alpha: float = 1.0
) -> list[list[Found]]:
    """The hypotheses of each row of ``ids`` (batch, time), best first. Several networks' probabilities are averaged.

    A target may have ten tokens more than twice those of its source.
    """
    found: list[list[Found]] = [[] for _ in ids]
    limits = (2 * lengths + EXTRA_TOKENS).tolist()
    live = _start(networks, ids, lengths, beam_size)
    while live.places:
        _advance(networks, live, found, beam_size, alpha)
        _leave(live, found, limits, beam_size, alpha)
    return [sorted(each, key=lambda one: -one.score)[:beam_size] for each in found]


def _start(networks: Sequence[Translator], ids: Tensor, lengths: Tensor, beam_size: int) -> _Live:
    count = len(ids)
    rows = torch.arange(count, device=ids.device).repeat_interleave(beam_size)
    memories, states = [], []
    for network in networks:
        memory, state = network.encode(ids, lengths)
        memories.append(memory.select(rows))
        states.append(state[rows])
    totals = torch.full((count, beam_size), float("-inf"), device=ids.device)
    totals[:, 0] = 0.0
    tokens = torch.full((count, beam_size, 1), BOS_ID, device=ids.device)
    return _Live(memories=memories, states=states, tokens=tokens, totals=totals, places=list(range(count)))


def _advance(
    networks: Sequence[Translator], live: _Live, found: list[list[Found]], beam_size: int, alpha: float
) -> None:
    """Extend each sentence by its best continuations. Hypotheses that end are recorded, and their place stays empty."""
    last = live.tokens[:, :, -1].flatten()
    outcomes = [n.step(last, s, m) for n, s, m in zip(networks, live.states, live.memories, strict=True)]
    log_probabilities = mean_log_probabilities([each for _, each in outcomes])
    best, words = log_probabilities.topk(beam_size, dim=-1)  # (row, beam)
    count = len(live.places)
    totals = (live.totals.view(-1, 1) + best).view(count, -1)
    live.totals, chosen = totals.topk(beam_size, dim=-1)  # (sentence, beam)
    words = words.view(count, -1).gather(1, chosen)
    parents = chosen // beam_size + beam_size * torch.arange(count, device=chosen.device)[:, None]
    live.states = [step.state[parents.flatten()] for step, _ in outcomes]
    live.tokens = torch.cat([live.tokens.flatten(0, 1)[parents], words[:, :, None]], dim=-1)
    # a sentence keeps one hypothesis fewer for each that has ended
    ended = torch.tensor([len(found[place]) for place in live.places], device=chosen.device)
    live.totals[torch.arange(beam_size, device=chosen.device) >= beam_size - ended[:, None]] = float("-inf")
    ends = ((words == EOS_ID) & live.totals.isfinite()).nonzero().tolist()
    for sentence, place in ends:
        ids = tuple(live.tokens[sentence, place, 1:-1].tolist())
        score = live.totals[sentence, place].item() / (len(ids) + 1) ** alpha
        found[live.places[sentence]].append(Found(ids=ids, score=score))
        live.totals[sentence, place] = float("-inf")


def mean_log_probabilities(each: Sequence[Tensor]) -> Tensor:
    """The logarithm of the networks' mean probability."""
    if len(each) == 1:
        return each[0]
    return torch.logsumexp(torch.stack(list(each)), dim=0) - torch.log(torch.tensor(float(len(each))))


def _leave(live: _Live, found: list[list[Found]], limits: Sequence[int], beam_size: int, alpha: float) -> None:
    """Remove finished sentences: all hypotheses have ended, or are as long as allowed."""
    length = live.tokens.shape[2] - 1
    is_alive = live.totals.isfinite().any(dim=1).tolist()
    for sentence, place in enumerate(live.places):
        if is_alive[sentence] and length >= limits[place]:
            _stop(live, sentence, found[place], alpha)
            is_alive[sentence] = False
    if all(is_alive):
        return
    kept = torch.tensor([i for i, alive in enumerate(is_alive) if alive], dtype=torch.long, device=live.tokens.device)
    rows = (kept[:, None] * beam_size + torch.arange(beam_size, device=kept.device)).flatten()
    live.memories = [memory.select(rows) for memory in live.memories]
    live.states = [state[rows] for state in live.states]
    live.tokens, live.totals = live.tokens[kept], live.totals[kept]
    live.places = [live.places[i] for i in kept.tolist()]


def _stop(live: _Live, sentence: int, found: list[Found], alpha: float) -> None:
    if found:
        return
    best = int(live.totals[sentence].argmax())
    ids = tuple(live.tokens[sentence, best, 1:].tolist())
    found.append(Found(ids=ids, score=live.totals[sentence, best].item() / len(ids) ** alpha))


def pad_rows(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Padded ids (batch, time) and lengths (batch,) of rows."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.full((len(rows), int(lengths.max())), PAD_ID)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return ids, lengths

"""Answers to many texts, by a network in training (what early stopping scores) or by a predictor."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from service.predictors.predictor import Answer, Predictor
from service.predictors.viterbi import decode_legal
from service.text.batch import Ids, pad
from service.text.pipeline import WordEncoder
from service.text.spans import OUTSIDE, legal_transitions, spans_of
from training.evaluation import SpanReport, evaluate_spans

Tags = Sequence[Sequence[str]]


def by_length(rows: Sequence[Sized], num_words: int) -> Iterator[list[int]]:
    """Indices in batches of about ``num_words`` padded cells, shortest first."""
    batch: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        if batch and len(rows[i]) * (len(batch) + 1) > num_words:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def answer_rows(predictor: Predictor[Any, Answer], rows: Sequence[Ids]) -> list[Answer]:
    """Every row's answer, in order; batches of like lengths."""
    answers: dict[int, Answer] = {}
    for indices in by_length(rows, 1024):
        answers.update(zip(indices, predictor.run(pad([rows[i] for i in indices])), strict=True))
    return [answers[i] for i in range(len(rows))]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """A batch of sentences and the log-probabilities of their tags."""

    indices: Sequence[int]  # of the sentences
    lengths: Ids  # (batch,)
    scores: Mapping[str, npt.NDArray[np.float32]]  # (batch, time, tag) by head


def score_sentences(
    network: nn.Module,
    encoder: WordEncoder,
    sentences: Sequence[Sequence[str]],
    heads: Collection[str],
    *,
    num_words: int = 4000,
) -> Iterator[Scored]:
    """All sentences in batches of like lengths."""
    device = next(network.parameters()).device
    for indices in by_length(sentences, num_words):
        batch = pad([encoder.encode(sentences[i]) for i in indices])
        with torch.inference_mode():
            lengths = torch.from_numpy(batch.lengths.astype(np.int64)).to(device)
            logits = network(torch.from_numpy(batch.ids).to(device), lengths)
            scores = {name: logits[name].float().log_softmax(-1).cpu().numpy() for name in heads}
        yield Scored(indices=indices, lengths=batch.lengths, scores=scores)


def tag_sentences(
    network: nn.Module,
    encoder: WordEncoder,
    sentences: Sequence[Sequence[str]],
    heads: Mapping[str, Sequence[str]],
    *,
    num_words: int = 4000,
) -> dict[str, list[list[str]]]:
    """Tags of every sentence by head; BIOES heads are decoded so that every sequence is legal."""
    results: dict[str, list[list[str]]] = {name: [[] for _ in sentences] for name in heads}
    for batch in score_sentences(network, encoder, sentences, heads, num_words=num_words):
        for name, tags in heads.items():
            rows = decode_tags(batch.scores[name], batch.lengths, tags)
            for i, row in zip(batch.indices, rows, strict=True):
                results[name][i] = row
    return results


def decode_tags(scores: npt.NDArray[np.float32], lengths: Ids, tags: Sequence[str]) -> list[list[str]]:
    """The best tags of each row; the best legal sequence where they are BIOES. ``scores`` is (batch, time, tag)."""
    spans = OUTSIDE in tags
    paths = decode_legal(scores, lengths, legal_transitions(tags)) if spans else scores.argmax(axis=-1)
    return [[tags[i] for i in path[:length]] for path, length in zip(paths, lengths, strict=True)]


def score_spans(gold: Tags, predicted: Tags, labels: Sequence[str]) -> SpanReport:
    """Exact spans of some labels; what else is predicted counts neither way."""

    def spans(tags: Tags) -> list[list[tuple[str, int, int]]]:
        return [[(s.label, s.start, s.end) for s in spans_of(row) if s.label in labels] for row in tags]

    return evaluate_spans(gold=spans(gold), predicted=spans(predicted))


def shift_vector(tags: Sequence[str], shifts: Mapping[str, float]) -> npt.NDArray[np.float32]:
    """One number a tag: that of its label, whatever its prefix."""
    return np.array([shifts.get(tag.partition("-")[2], 0.0) for tag in tags], np.float32)

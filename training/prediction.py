"""Tags from a network in training: what early stopping scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from service.predictors.viterbi import decode_legal
from service.text.batch import pad
from service.text.pipeline import WordEncoder
from service.text.spans import legal_transitions, spans_of
from training.evaluation import SpanReport, evaluate_spans

Tags = Sequence[Sequence[str]]


def by_length(sentences: Sequence[Sequence[str]], num_words: int) -> Iterator[list[int]]:
    """Indices in batches of about ``num_words`` padded cells, shortest first."""
    batch: list[int] = []
    for i in sorted(range(len(sentences)), key=lambda i: len(sentences[i])):
        if batch and len(sentences[i]) * (len(batch) + 1) > num_words:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def tag_sentences(
    network: nn.Module,
    encoder: WordEncoder,
    sentences: Sequence[Sequence[str]],
    heads: Mapping[str, Sequence[str]],
    *,
    num_words: int = 4000,
) -> dict[str, list[list[str]]]:
    """Tags of every sentence by head; BIOES heads are decoded so that every sequence is legal."""
    device = next(network.parameters()).device
    legal = {name: legal_transitions(tags) for name, tags in heads.items() if "O" in tags}
    results: dict[str, list[list[str]]] = {name: [[] for _ in sentences] for name in heads}
    for indices in by_length(sentences, num_words):
        batch = pad([encoder.encode(sentences[i]) for i in indices])
        with torch.inference_mode():
            lengths = torch.from_numpy(batch.lengths.astype(np.int64)).to(device)
            logits = network(torch.from_numpy(batch.ids).to(device), lengths)
        for name, tags in heads.items():
            scores = logits[name].float().log_softmax(-1).cpu().numpy()
            free = name not in legal
            paths = scores.argmax(axis=-1) if free else decode_legal(scores, batch.lengths, legal[name])
            for i, path in zip(indices, paths, strict=True):
                results[name][i] = [tags[j] for j in path[: len(sentences[i])]]
    return results


def score_spans(gold: Tags, predicted: Tags, labels: Sequence[str]) -> SpanReport:
    """Exact spans of some labels; what else is predicted counts neither way."""

    def spans(tags: Tags) -> list[list[tuple[str, int, int]]]:
        return [[(s.label, s.start, s.end) for s in spans_of(row) if s.label in labels] for row in tags]

    return evaluate_spans(gold=spans(gold), predicted=spans(predicted))

"""Tags of many sentences by a network in training, and the figures by which early stopping scores it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import eq

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from service.predictors.tagger import decode_legal
from service.text.pipeline import Ids, WordEncoder, pad
from service.text.spans import OUTSIDE, legal_transitions, spans_of
from training.corpora.tagging_sets import GoldSet
from training.evaluation import SpanReport, evaluate_spans
from training.networks.tagger import Tagger
from training.predict import by_length

Tags = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """A batch of sentences with the log-probabilities of their tags."""

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
    """Log-probabilities of all sentences, in batches of like lengths."""
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
    """Tags of every sentence by head. BIOES heads are decoded so that every sequence is legal."""
    results: dict[str, list[list[str]]] = {name: [[] for _ in sentences] for name in heads}
    for batch in score_sentences(network, encoder, sentences, heads, num_words=num_words):
        for name, tags in heads.items():
            rows = decode_tags(batch.scores[name], batch.lengths, tags)
            for i, row in zip(batch.indices, rows, strict=True):
                results[name][i] = row
    return results


def decode_tags(scores: npt.NDArray[np.float32], lengths: Ids, tags: Sequence[str]) -> list[list[str]]:
    """The best tags of each row, for BIOES tags the best legal sequence. ``scores`` is (batch, time, tag)."""
    spans = OUTSIDE in tags
    paths = decode_legal(scores, lengths, legal_transitions(tags)) if spans else scores.argmax(axis=-1)
    return [[tags[i] for i in path[:length]] for path, length in zip(paths, lengths, strict=True)]


def score_spans(gold: Tags, predicted: Tags, labels: Sequence[str]) -> SpanReport:
    """Figures of the exact spans of some labels. Predicted spans of other labels do not count."""

    def spans(tags: Tags) -> list[list[tuple[str, int, int]]]:
        return [[(s.label, s.start, s.end) for s in spans_of(row) if s.label in labels] for row in tags]

    return evaluate_spans(gold=spans(gold), predicted=spans(predicted))


def shift_vector(tags: Sequence[str], shifts: Mapping[str, float]) -> npt.NDArray[np.float32]:
    """The shift of each tag: that of its label, whatever its prefix."""
    return np.array([shifts.get(tag.partition("-")[2], 0.0) for tag in tags], np.float32)


def score_sets(
    network: Tagger, encoder: WordEncoder, sets: Sequence[GoldSet], heads: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Accuracy and F1 on dev sets in percent. In ``score`` a point of tagging accuracy counts as much as five of entity
    F1."""
    figures = {}
    for test in sets:
        predicted = tag_sentences(network, encoder, test.sentences, {head: heads[head] for head in test.gold})
        for head, gold in test.gold.items():
            if test.labels:
                figures[f"{test.name}_{head}"] = 100 * score_spans(gold, predicted[head], test.labels).micro.f1
            else:
                hits = map(eq, chain.from_iterable(gold), chain.from_iterable(predicted[head]))
                figures[head] = 100 * float(np.mean(list(hits)))
    entities = [value for name, value in figures.items() if name not in ("upos", "xpos")]
    figures["score"] = (figures["upos"] + figures["xpos"]) / 2 + 0.2 * float(np.mean(entities))
    return figures

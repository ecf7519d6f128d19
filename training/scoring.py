"""One figure to choose a tagger's epoch by, and the figures it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import eq

import numpy as np

from service.text.pipeline import WordEncoder
from training.corpora.tagging_sets import GoldSet
from training.networks.tagger import Tagger
from training.tagger.predict import score_spans, tag_sentences


def score_sets(
    network: Tagger, encoder: WordEncoder, sets: Sequence[GoldSet], heads: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Accuracy and F1 in percent; ``score`` weighs a point of tags like five of entities."""
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

"""Measure by how much to raise or lower each entity label for the best F1 on the dev sets.

    python -m training.tagger.tune_entities --help

The entity corpora are mostly newswire, rich in organisations; elsewhere a tagger trained on them finds too many. The
search is coordinate ascent over one constant a label (a label shift; Saerens et al. 2002). The printed shifts go into
``[entity_shifts]`` of the configuration, and publishing adds them to the bias of the head.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.checkpoints import load_tagger
from training.config import load_config
from training.corpora import tagging
from training.corpora.entities import TAGS
from training.corpora.tagging_sets import GoldSet, read_entity_sets
from training.tagger.config import TaggerRun
from training.tagger.predict import Scored, decode_tags, score_sentences, score_spans, shift_vector

STEPS = (-1.5, -1.25, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5)
LEAST_GAIN = 0.05  # points of mean F1 that a shift must gain
SHIFTED = ("PER", "ORG", "LOC", "DATE")  # the corpora disagree on MISC, and have few of the others


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSet:
    """A dev set with the network's log-probabilities, before any shift."""

    gold: GoldSet
    batches: Sequence[Scored]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--data-dir", type=Path, help="folder with the corpora; else they are downloaded")
    arguments = parser.parse_args()
    config, heads = load_config(TaggerRun, arguments.config), tagging.read_tag_sets(arguments.data_dir)
    tagger = load_tagger(arguments.run_dir, config, heads)
    sets = [
        ScoredSet(gold=gold, batches=list(score_sentences(tagger.network, tagger.encoder, gold.sentences, ["entity"])))
        for gold in read_entity_sets("dev", arguments.data_dir)
    ]
    shifts: dict[str, float] = {}
    best = report(shifts, sets)
    for _ in range(2):
        for label in SHIFTED:
            trials = [{**shifts, label: step} for step in STEPS]
            scores = [mean_of(f1_of(trial, sets)) for trial in trials]
            if max(scores) > best + LEAST_GAIN:
                shifts = trials[int(np.argmax(scores))]
                best = report(shifts, sets)


def report(shifts: Mapping[str, float], sets: Sequence[ScoredSet]) -> float:
    figures = f1_of(shifts, sets)
    print(dict(shifts), "  ".join(f"{name} {value:.2f}" for name, value in figures.items()))
    return mean_of(figures)


def mean_of(figures: Mapping[str, float]) -> float:
    """The mean F1 that shifts are chosen by. UNER is left out: it has no test set, so that its dev set must serve as
    one."""
    return float(np.mean([value for name, value in figures.items() if name != "uner"]))


def f1_of(shifts: Mapping[str, float], sets: Sequence[ScoredSet]) -> dict[str, float]:
    """Micro F1 by dev set, in percent."""
    vector = shift_vector(TAGS, shifts)
    figures = {}
    for each in sets:
        predicted: list[list[str]] = [[] for _ in each.gold.sentences]
        for batch in each.batches:
            rows = decode_tags(batch.scores["entity"] + vector, batch.lengths, TAGS)
            for i, row in zip(batch.indices, rows, strict=True):
                predicted[i] = row
        labels = [label for label in each.gold.labels if label in SHIFTED]
        figures[each.gold.name] = 100 * score_spans(each.gold.gold["entity"], predicted, labels).micro.f1
    return figures


if __name__ == "__main__":
    main()

"""A classifier of one's own texts: from a table to a bundle that ``POST /classify`` serves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from service.text.pipeline import Batch, TextEncoder, Vocabulary, pad
from service.text.tokenizer import words_of
from training.classifier.baselines import texts_of
from training.classifier.bundle_start import ClassifierStart
from training.classifier.config import ClassifierRun
from training.classifier.corpora import HeldOutSets, TextSet
from training.classifier.evaluate import classify_texts, open_classifier
from training.classifier.export import random_batch
from training.classifier.publish import Facts, write_bundle
from training.classifier.report import BASELINES
from training.classifier.train import fit_classifier
from training.corpora.labelled_text import LabelledText
from training.export import SHAPES
from training.loop import seed_everything
from training.networks.classifier import Classifier
from training.own_data.errors import count_text
from training.own_data.labelled import Labelled, LabelledData, TableOptions, read_splits
from training.own_data.linear_baseline import LinearBaseline, baseline_figures, fit_baseline, gold_of
from training.own_data.options import Clock, Say, TrainOptions
from training.own_data.progress import TimeLeft
from training.own_data.recipe import Origin, chosen_text
from training.own_data.sizes import classifier_run
from training.own_data.starts import best_start, open_starts
from training.own_data.verdict import Verdict, compare, compare_spans
from training.own_data.workspace import Workspace, check_free, workspace
from training.vocabularies import vocabulary_of_texts

PROOF_TEXTS, PROOF_TOKENS, SHORT = 64, 200, 40  # of dev, on which the graph is proved; tokens of a random text
EXAMPLES_OF = "en-intent"  # whose plain inputs the service replays: no text of one's own is in a bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierFiles:
    """The files of a classifier's data."""

    train: Path
    dev: Path | None = None
    test: Path | None = None


def train_classifier(
    files: ClassifierFiles, options: TrainOptions, *, table: TableOptions, starts: Sequence[Path], say: Say
) -> Verdict:
    """Train a classifier and write its bundle; returns how it compares with the baseline.

    It starts from that of the bundles ``starts`` that suits the texts best. Raises DataError.
    """
    clock = Clock(options.minutes)
    check_free(options.out, overwrite=options.overwrite)
    data = read_splits(files.train, files.dev, files.test, table, options.seed)
    for note in data.notes:
        say(note)
    say(
        f"{count_text(len(data.labels), 'label')}; {len(data.train):,} texts to learn from, {len(data.dev):,} to "
        f"choose by, {len(data.test):,} to measure by."
    )
    with workspace(options.out, overwrite=options.overwrite) as made:
        seed_everything(options.seed)
        sets = held_out_sets(data, options.name)
        train = labelled_texts(data.train, data.labels)
        config = own_config(data, options, files.train.name)
        say("Fitting the linear baseline first ...")
        baseline = fit_baseline(train, sets, config)
        figures = baseline_figures(baseline, sets, config, num_texts=len(train))
        (made.run / BASELINES).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        start = best_start(open_starts(starts), train, sets.dev[0].texts)
        config = replace(config, fit=replace(config.fit, limit_minutes=clock.minutes_to_train))
        network, vocabulary = fit_own(config, train, sets, start, made.run, say)
        sizes = (len(data.train), len(data.dev), len(data.test))
        origin = Origin(options=options, data=files.train.name, sizes=sizes, start=start)
        return write_own_classifier(network, vocabulary, config, sets, baseline, origin, made)


def own_config(data: LabelledData, options: TrainOptions, data_name: str) -> ClassifierRun:
    """The configuration for these data."""
    return classifier_run(
        name=options.name,
        title=f"Classes of texts as in {data_name}",
        labels=data.labels,
        multi_label=data.multi_label,
        num_texts=len(data.train),
        num_dev=len(data.dev),
        language=options.language,
        minutes=options.minutes,
        seed=options.seed,
    )


def labelled_texts(texts: Sequence[Labelled], labels: Sequence[str]) -> list[LabelledText]:
    """The texts with their labels as targets."""
    return [
        LabelledText(text=each.text, target=tuple(float(label in each.labels) for label in labels), source="own")
        for each in texts
    ]


def held_out_sets(data: LabelledData, name: str) -> HeldOutSets:
    """The dev and the test set."""
    dev, test = ([TextSet(name=name, texts=labelled_texts(part, data.labels))] for part in (data.dev, data.test))
    return HeldOutSets(dev=dev, test=test)


def fit_own(
    config: ClassifierRun,
    train: Sequence[LabelledText],
    sets: HeldOutSets,
    start: ClassifierStart | None,
    folder: Path,
    say: Say,
) -> tuple[Classifier, Vocabulary]:
    """Train a network, from a bundle's weights if there is a start; returns it with the vocabulary that it ships with.

    It learns with the words of the texts alone. Words that only the bundle has are added at the end.
    """
    own = vocabulary_of_texts((text.text for text in train), max_words=config.max_words, min_count=config.min_count)
    vocabulary = own
    if start:
        config = replace(config, network=start.sizes(config.network))
        vocabulary = start.extended(own, (text.text for part in sets.dev for text in part.texts))
    network = Classifier(
        num_words=len(vocabulary), num_labels=len(config.labels), multi_label=config.multi_label, config=config.network
    )
    if start:
        start.load_into(network, vocabulary)
    weights = sum(value.numel() for value in network.parameters())
    say(
        f"An LSTM of {config.network.hidden_size} a direction over {len(vocabulary):,} words, {weights / 1e6:.1f} M "
        f"weights{f', starting from {start.name}' if start else ''}."
    )
    best = fit_classifier(
        network,
        vocabulary,
        config=config,
        labels=config.labels,
        train={config.name: list(train)},
        dev=sets.dev,
        folder=folder,
        display=TimeLeft(
            limit_minutes=config.fit.limit_minutes or 0, figure=config.figure if config.multi_label else "accuracy"
        ),
    )
    if start:
        wider = start.extended(vocabulary)
        start.widen(best, vocabulary, wider)
        vocabulary = wider
    return best, vocabulary


def write_own_classifier(
    network: Classifier,
    vocabulary: Vocabulary,
    config: ClassifierRun,
    sets: HeldOutSets,
    baseline: LinearBaseline,
    origin: Origin,
    made: Workspace,
) -> Verdict:
    """Write the bundle and its report; returns how the bundle compares with the baseline."""
    verdicts: list[Verdict] = []

    def recipe(manifest: Mapping[str, Any]) -> str:
        verdicts.append(judge(made.bundle, baseline, sets.test[0]))
        chosen = [f"the temperature ({manifest['metrics']['temperature']:.3f})"]
        if config.multi_label:
            chosen.append("the threshold of each label")
        return origin.recipe(chosen=chosen_text(origin.num_dev, chosen), verdict=verdicts[0].text)

    write_bundle(
        network,
        vocabulary,
        config=config,
        labels=config.labels,
        sets=sets,
        facts=Facts(terms=origin.terms, recipe=recipe, batches=proof_batches(sets, vocabulary), inputs=EXAMPLES_OF),
        folder=made.bundle,
        report=made.report,
    )
    return verdicts[0]


def judge(bundle: Path, baseline: LinearBaseline, test: TextSet) -> Verdict:
    """Compare the bundle's answers with the baseline's on the test set: accuracy, or where a text may have several
    labels F1 of all of them together, with the mean of the labels' own F1 beside it."""
    model, texts = open_classifier(bundle), texts_of(test)
    scores, theirs, gold = classify_texts(model.classifier, texts), baseline.decide(texts), gold_of(test)
    thresholds = model.bundle.manifest.thresholds
    if thresholds is None:
        right = (scores.argmax(1) == gold.argmax(1)), (theirs.argmax(1) == gold.argmax(1))
        return compare(*(each.tolist() for each in right), name=baseline.name)
    ours = scores >= [thresholds[label] for label in model.classifier.labels]
    sets = ([set(np.flatnonzero(row).tolist()) for row in rows] for rows in (gold, ours, theirs))
    verdict = compare_spans(*sets, name=baseline.name)
    means = f"network {mean_f1(gold, ours):.1f} %, {baseline.name} {mean_f1(gold, theirs):.1f} %"
    return replace(verdict, text=f"{verdict.text} Mean F1 of the labels: {means}.")


def mean_f1(gold: npt.NDArray[np.bool_], decided: npt.NDArray[np.bool_]) -> float:
    """The mean over labels of their F1 in percent, of decisions (text, label); 0 for a label that is never there."""
    right = (gold & decided).sum(0)
    return 100 * float(np.mean(2 * right / np.maximum(gold.sum(0) + decided.sum(0), 1)))


def proof_batches(sets: HeldOutSets, vocabulary: Vocabulary) -> list[Batch]:
    """Batches on which the graph is compared with torch: dev texts, and short ones of random words.

    On hundreds of random words in a row the states of some networks are chaotic, so that the last digits of two correct
    programs grow apart.
    """
    encoder = TextEncoder(vocabulary)
    (dev,) = sets.dev
    rows = [encoder.encode(words_of(text))[:PROOF_TOKENS] for text in texts_of(dev)[:PROOF_TEXTS]]
    short = [random_batch(shape, len(vocabulary), seed) for seed, shape in enumerate(SHAPES) if shape[1] <= SHORT]
    return short + [pad([row]) for row in rows[:3]] + [pad(rows)]

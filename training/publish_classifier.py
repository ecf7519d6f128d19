"""Make a bundle of a trained classifier: graphs, vocabulary, examples, card, manifest, every figure measured on it.

``training/train_classifier.py`` ends with this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from service.bundle import CARD, EXAMPLES, VOCABULARIES, write_manifest
from service.predictors.classifier import Classifier as Predictor
from service.predictors.classifier import ClassifyExample
from service.text.vocabulary import Vocabulary, dump_vocabularies
from training import text_baselines
from training.checkpoints import seconds_of_training
from training.classifier_card import REVIEWS, TRAINED_ON, classifier_card, corpora_of
from training.classifier_report import write_classifier_report
from training.classifier_run import ClassifierRun
from training.corpora.text_tasks import TASKS, TextSet, read_sets
from training.evaluate_classifier import (
    PAIRS,
    TEMPERATURE,
    AnsweredSet,
    Measured,
    OpenBundle,
    classify_texts,
    measure,
    open_classifier,
    read_baselines,
)
from training.export import GRAPHS, check_graph, write_graphs
from training.export_classifier import OUTPUT, QUANTIZED, answer_of, build_graph, check_batches, is_exact, make_final
from training.networks.classifier import Classifier
from training.publish import EXACT, INEXACT, finish, precision_fields, write_draft, write_examples
from training.text_prediction import MAX_TOKENS

LICENCE = "research use, as the corpora that its classes were learned from"
OPINIONS = (
    "The movie was terribly exciting!",
    "It was not bad at all.",
    "It was not good.",
    "I wanted to like it, but after an hour I was looking at my watch.",
    "A small, warm, clever film that I would gladly see again.",
    "The actors do what they can; the script gives them nothing to do.",
    "Two hours long.",
    "Best thing I've seen all year!!! Go see it :)",
    "It could have been a masterpiece. It isn't even a film.",
    "Slow at first, then funny, and in the end it moved me to tears.\n\nTen out of ten.",
)
TWEETS = (
    "I just love being woken up by drills at 6 am on a Sunday #blessed",
    "Dinner with my sister tonight, can't wait :)",
    "Oh great, another meeting about meetings.",
    "@user The train at 9.15 goes from platform 4 today.",
    "why does nobody ever answer the phone there, I am so done",
    "We won!!! First time in ten years, what a night",
    "Nothing says holiday like eight hours at the airport",
    "miss you, grandpa. it's not the same without you",
    "It will be fine. One day at a time.",
    "Finally got the job I wanted #happy",
)


def publish(
    network: Classifier,
    vocabulary: Vocabulary,
    *,
    config: ClassifierRun,
    temperature: float,
    folder: Path,
    data_dir: Path | None,
    report: Path,
) -> dict[str, float]:
    """Write the bundle and the report; returns the test figures of fp32, in percent.

    ``network`` becomes the one that ships (:func:`training.export_classifier.make_final`). Beside it in the report
    stand the baselines of the folder around the report (:func:`baselines_of_run`). Raises ExportError, before anything
    is written, if the graph does not do what the network does.
    """
    temperature = round(temperature, 4)  # as the manifest says it
    make_final(network.cpu().eval(), temperature)
    difference = write_answering(network, vocabulary, config, folder)
    baselines = baselines_of_run(report.parent, config.task, data_dir)
    seconds = seconds_of_training(report.parent)
    models = {name: open_classifier(folder, name) for name in GRAPHS}
    dev, test = (
        measure_all(
            models,
            read_sets(config.task, split, data_dir),
            split=split,
            temperature=temperature,
            baselines=read_baselines(baselines, split),
            train_seconds=seconds,
        )
        for split in ("dev", "test")
    )
    figures = test["fp32"].figures()
    title = f"{config.name} {config.version}, test"
    write_classifier_report(beside(test["fp32"], test["int8"]).report(title, figures), report)
    metrics = {**figures, TEMPERATURE: temperature}
    final = manifest_of(config, precisions=precision_figures(dev, test), test=metrics)
    files = models["fp32"].bundle.manifest.files
    card = classifier_card(
        final,
        config=config,
        network=network,
        difference=difference,
        sizes={name: file.size_bytes for name, file in files.items() if name not in (EXAMPLES, CARD)},
        pairs=test["fp32"].pairs,
    )
    finish(folder, final, card, Predictor)
    return figures


def write_answering(network: Classifier, vocabulary: Vocabulary, config: ClassifierRun, folder: Path) -> float:
    """Write a bundle that answers, without figures and card; returns by how much its graph differs from torch."""
    batches = check_batches(len(vocabulary))
    difference = write_graphs(
        folder,
        build=lambda half: build_graph(network, half=half),
        check=lambda path: check_graph(partial(answer_of, network), path, batches),
        operators=QUANTIZED,
    )
    dump_vocabularies({"words": vocabulary}, folder / VOCABULARIES)
    draft = manifest_of(config, precisions={}, test={})
    write_draft(folder, draft)
    classifiers = {name: open_classifier(folder, name).classifier for name in GRAPHS}
    write_examples(classifiers, examples_of(classifiers["fp32"], config.task), folder)
    write_manifest(folder, draft)
    return difference


def baselines_of_run(folder: Path, task: str, data_dir: Path | None) -> list[Path]:
    """All ``baselines*.json`` in a run's folder; the linear ones are trained if they are not there (minutes)."""
    linear = folder / "baselines.json"
    if not linear.exists():
        figures = text_baselines.run_task(task, data_dir)
        folder.mkdir(parents=True, exist_ok=True)
        linear.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return sorted(folder.glob("baselines*.json"))


def measure_all(models: Mapping[str, OpenBundle], sets: Sequence[TextSet], **choices: Any) -> dict[str, Measured]:
    """By precision; ``choices`` are those of :func:`training.evaluate_classifier.measure`."""
    return {name: measure(model, sets, **choices) for name, model in models.items()}


def beside(first: Measured, second: Measured) -> Measured:
    """The first, and in its tables of systems the second below it."""
    pairs = zip(first.sections, second.sections, strict=True)
    return replace(
        first,
        sections=[replace(a, systems=[a.systems[0], b.systems[0], *a.systems[1:]]) for a, b in pairs],
    )


def precision_figures(dev: Mapping[str, Measured], test: Mapping[str, Measured]) -> dict[str, dict[str, float]]:
    """What a manifest says of each precision: its figures on dev; those on test behind ``test_``; and how far its
    scores on dev are from those of fp32."""
    figures = {}
    for name in dev:
        of_test = {key: value for key, value in test[name].figures().items() if not key.startswith(PAIRS)}
        figures[name] = dev[name].figures() | {f"test_{key}": value for key, value in of_test.items()}
        if name != "fp32":
            figures[name] |= distance(dev["fp32"].answered, dev[name].answered)
    return figures


def distance(first: Sequence[AnsweredSet], second: Sequence[AnsweredSet]) -> dict[str, float]:
    """Of the same texts' answers, in percent: how many labels differ, and by how much scores do."""
    expected, found = (np.concatenate([part.scores for part in parts]) for parts in (first, second))
    differences = np.abs(expected - found)
    figures = {
        "labels_changed": (expected.argmax(axis=1) != found.argmax(axis=1)).mean(),
        "score_difference_mean": differences.mean(),
        "score_difference_max": differences.max(),
    }
    return {name: round(100 * float(value), 2) for name, value in figures.items()}


def manifest_of(
    config: ClassifierRun, *, precisions: Mapping[str, Mapping[str, float]], test: Mapping[str, float]
) -> dict[str, Any]:
    labels = TASKS[config.task]
    return {
        "name": config.name,
        "version": config.version,
        "task": "classify",
        "default": config.is_default,
        "languages": ["en"],
        "description": config.description,
        "licence": LICENCE,
        "commercial_use": False,
        "corpora": corpora_of(config),
        "features": {},
        "labels": {"label": labels},
        "limits": {"max_tokens": MAX_TOKENS},
        "inputs": [
            {"name": "ids", "type": "int32", "shape": ["batch", "time"]},
            {"name": "lengths", "type": "int32", "shape": ["batch"]},
        ],
        "outputs": [{"name": OUTPUT, "type": "float32", "shape": ["batch", len(labels)]}],
        **precision_fields(precisions, reason=EXACT if is_exact(config.network) else INEXACT),
        "metrics": dict(test),
    }


def examples_of(classifier: Predictor, task: str) -> list[ClassifyExample]:
    """Texts of our own and what the classifier says of them."""
    texts = OPINIONS if set(TRAINED_ON[task]) <= REVIEWS else TWEETS
    return [
        ClassifyExample(
            text=text,
            label=classifier.labels[int(row.argmax())],
            scores={label: round(score, 5) for label, score in zip(classifier.labels, row.tolist(), strict=True)},
        )
        for text, row in zip(texts, classify_texts(classifier, texts), strict=True)
    ]

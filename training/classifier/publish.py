"""Publish a trained classifier as a bundle, with measured figures, and write a report beside the run.

:mod:`training.classifier.train` calls it for ``--bundle``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from service.bundle import CARD, EXAMPLES, VOCABULARIES, load_bundle, write_manifest
from service.predictors.classifier import Classifier as Predictor
from service.text.pipeline import Batch, TextEncoder, Vocabulary, dump_vocabularies
from training.card import Terms
from training.classifier.card import classifier_card, recipe_text, terms_of
from training.classifier.config import ClassifierRun
from training.classifier.corpora import HeldOutSets, TextSet, at_most, read_sets
from training.classifier.evaluate import measure, open_classifier
from training.classifier.examples import bundle_examples
from training.classifier.export import OUTPUT, QUANTIZED, answer_of, build_graph, check_batches, is_exact, make_final
from training.classifier.figures import percent
from training.classifier.multi_label import fit_shared_temperature, tune_thresholds
from training.classifier.predict import MAX_TOKENS, predict_logits
from training.classifier.report import ByPrecision, write_report
from training.classifier.temperature import fit_temperature
from training.corpora.labelled_text import read_lines
from training.export import GRAPHS, check_graph, write_graphs
from training.networks.classifier import Classifier
from training.publish import EXACT, INEXACT, finish, precision_fields, write_draft, write_examples

MOST_OF_SOURCE = 300  # dev texts of one source in the choice of the temperature


def publish(
    network: Classifier,
    vocabulary: Vocabulary,
    *,
    config: ClassifierRun,
    labels: Sequence[str],
    folder: Path,
    data_dir: Path | None,
    run: Path,
) -> dict[str, float]:
    """Call :func:`write_bundle` with the corpora of the configuration; the report goes into ``run/report``."""
    return write_bundle(
        network,
        vocabulary,
        config=config,
        labels=labels,
        sets=HeldOutSets(dev=read_sets(config, "dev", data_dir), test=read_sets(config, "test", data_dir)),
        facts=Facts(
            terms=terms_of(config),
            groups=groups_of(config.groups, labels, data_dir) if config.groups else {},
            recipe=lambda manifest: recipe_text(manifest, config),
            batches=check_batches(len(vocabulary)),
            inputs=config.name,
        ),
        folder=folder,
        report=run / "report",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The fields of a bundle that training does not find out."""

    terms: Terms
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)  # labels by group
    recipe: Callable[[Mapping[str, Any]], str]  # the section of the card, from the manifest
    batches: Sequence[Batch]  # on which the graph is compared with torch
    inputs: str  # the model whose plain inputs are the examples that the service replays


def write_bundle(
    network: Classifier,
    vocabulary: Vocabulary,
    *,
    config: ClassifierRun,
    labels: Sequence[str],
    sets: HeldOutSets,
    facts: Facts,
    folder: Path,
    report: Path,
) -> dict[str, float]:
    """Write the bundle into ``folder`` and the report into ``report``; returns the test figures in percent.

    ``network`` becomes the one that ships (:func:`training.classifier.export.make_final`). Temperature and thresholds
    are chosen on the dev sets (:func:`calibrate_on_dev`). Raises ExportError, before anything is written, if the graph
    does not do what the network does.
    """
    network.cpu().eval()
    temperature, thresholds = calibrate_on_dev(network, vocabulary, config, sets.dev)
    make_final(network, temperature, [config.shifts.get(label, 0.0) for label in labels])
    difference = write_graphs(
        folder,
        build=lambda half: build_graph(network, half=half),
        check=lambda path: check_graph(partial(answer_of, network), path, facts.batches),
        operators=QUANTIZED,
    )
    dump_vocabularies({"words": vocabulary}, folder / VOCABULARIES)
    fields: dict[str, Any] = {"config": config, "labels": labels, "terms": facts.terms, "groups": facts.groups}
    if config.multi_label:
        fields["thresholds"] = {label: round(t, 3) for label, t in zip(labels, thresholds.tolist(), strict=True)}
    draft = manifest_of(**fields, precisions={}, metrics={})
    write_draft(folder, draft)
    models = {name: open_classifier(folder, name) for name in GRAPHS}
    write_examples(
        {name: model.classifier for name, model in models.items()},
        bundle_examples(models["fp32"].classifier, facts.inputs),
        folder,
    )
    write_manifest(folder, draft)

    measured = {
        split: {name: measure(model, config, parts) for name, model in models.items()}
        for split, parts in sets.by_split().items()
    }
    precisions, metrics = figures_of(measured, temperature)
    manifest = manifest_of(**fields, precisions=precisions, metrics=metrics)
    write_report(report, models["int8"].classifier, config, measured, fields.get("thresholds", {}))
    files = load_bundle(folder).manifest.files
    card = classifier_card(
        manifest,
        config=config,
        network=network,
        recipe=facts.recipe(manifest),
        difference=difference,
        sizes={name: file.size_bytes for name, file in files.items() if name not in (EXAMPLES, CARD)},
    )
    finish(folder, manifest, card, Predictor)
    return metrics


def figures_of(
    measured: Mapping[str, ByPrecision], temperature: float
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """The figures of each precision, those of test with a prefix, and the metrics of a manifest."""
    precisions = {
        name: percent(measured["dev"][name]) | {f"test_{k}": v for k, v in percent(measured["test"][name]).items()}
        for name in GRAPHS
    }
    return precisions, percent(measured["test"]["fp32"]) | {"temperature": round(temperature, 4)}


def calibrate_on_dev(
    network: Classifier, vocabulary: Vocabulary, config: ClassifierRun, dev: Sequence[TextSet]
) -> tuple[float, np.ndarray]:
    """The temperature, and the threshold of each label of a multi-label task, from all dev sets together.

    Where there are several corpora or sources, no source has more than ``MOST_OF_SOURCE`` texts in it; thresholds of
    rare labels need all.
    """
    texts = [text for part in dev for text in part.texts]
    sources = {text.source for text in texts}
    limits = {} if len(sources) == 1 or config.multi_label else dict.fromkeys(sources, MOST_OF_SOURCE)
    chosen = at_most(texts, limits, np.random.default_rng(0))
    logits = predict_logits(network, TextEncoder(vocabulary), [text.text for text in chosen])
    if config.multi_label:
        gold = np.array([text.target for text in chosen]) > 0.5
        temperature = fit_shared_temperature(gold, logits)
        return temperature, tune_thresholds(gold, 1 / (1 + np.exp(-logits / temperature)))
    return fit_temperature(logits, [text.label for text in chosen]), np.zeros(0)


def manifest_of(
    *,
    config: ClassifierRun,
    labels: Sequence[str],
    terms: Terms,
    groups: Mapping[str, Sequence[str]],
    precisions: Mapping[str, Mapping[str, float]],
    metrics: Mapping[str, float],
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The manifest of a bundle."""
    manifest: dict[str, Any] = {
        "name": config.name,
        "version": config.version,
        "task": "classify",
        "default": config.is_default,
        "languages": list(config.languages),
        "description": config.description,
        **terms.fields,
        "features": {},
        "labels": {"label": list(labels)},
        "limits": {"max_tokens": MAX_TOKENS},
        "inputs": [
            {"name": "ids", "type": "int32", "shape": ["batch", "time"]},
            {"name": "lengths", "type": "int32", "shape": ["batch"]},
        ],
        "outputs": [{"name": OUTPUT, "type": "float32", "shape": ["batch", len(labels)]}],
        **precision_fields(precisions, reason=EXACT if is_exact(config.network) else INEXACT),
        "metrics": dict(metrics),
    }
    if thresholds:
        manifest |= {"multi_label": True, "thresholds": dict(thresholds)}
    if groups:
        manifest["groups"] = {name: list(members) for name, members in groups.items()}
    return manifest


def groups_of(corpus: str, labels: Sequence[str], data_dir: Path | None) -> dict[str, list[str]]:
    """The labels of each group, in the labels' order, by a file of lines ``label TAB group``."""
    folder, _, part = corpus.rpartition("/")
    group_by_label = {label: group for label, _, group in read_lines(folder, part, data_dir)}
    groups: dict[str, list[str]] = {}
    for label in labels:
        if label in group_by_label:
            groups.setdefault(group_by_label[label], []).append(label)
    return groups

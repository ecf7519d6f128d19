"""The choice of a shipped model to start from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from service.bundle import MANIFEST, read_bundle
from service.errors import BundleError
from service.text.pipeline import TextEncoder
from training.classifier.bundle_start import ClassifierStart
from training.classifier.predict import predict_logits
from training.corpora.labelled_text import LabelledText
from training.networks.classifier import Classifier, ClassifierConfig
from training.own_data.errors import DataError

PROBED_TEXTS = 1500  # to learn from, and to compare by


def bundles_of(models: Path, task: str, language: str) -> list[Path]:
    """The folders of models of a task in a language, by name; none if there is no such folder."""
    found = []
    for manifest in sorted(models.glob(f"*/{MANIFEST}")):
        try:
            described = read_bundle(manifest.parent).manifest
        except BundleError:
            continue  # a bundle that cannot be read is no start
        if described.task == task and language in described.languages:
            found.append(manifest.parent)
    return found


def open_starts(folders: Sequence[Path]) -> list[ClassifierStart]:
    """The classifiers among the bundles whose networks training can start from.

    Raises DataError if there is one bundle, which was asked for, and it is none of them.
    """
    starts = []
    for folder in folders:
        try:
            starts.append(ClassifierStart.open(folder))
        except (ValueError, BundleError) as error:
            if len(folders) == 1:
                raise DataError(f"{folder} is no classifier to start from: {error}.") from error
    return starts


def best_start(
    starts: Sequence[ClassifierStart], train: Sequence[LabelledText], dev: Sequence[LabelledText]
) -> ClassifierStart | None:
    """The start whose encoder tells the labels apart best, or None if there is no start.

    It is measured by a logistic regression on the pooled states of each text (a linear probe; Alain and Bengio 2016).
    """
    if len(starts) < 2:
        return next(iter(starts), None)
    rng = np.random.default_rng(0)
    learned, compared = (
        [texts[place] for place in rng.permutation(len(texts))[:PROBED_TEXTS]] for texts in (train, dev)
    )
    return max(starts, key=lambda start: probe(start, learned, compared))


def probe(start: ClassifierStart, train: Sequence[LabelledText], dev: Sequence[LabelledText]) -> float:
    """The share of dev texts that a logistic regression on the states of a start gets right."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    states, others = (pooled_states(start, [text.text for text in part]) for part in (train, dev))
    scaler = StandardScaler().fit(states)
    model = LogisticRegression(C=0.1, max_iter=100, tol=1e-2)
    model.fit(scaler.transform(states), [text.label for text in train])
    return float(np.mean(model.predict(scaler.transform(others)) == [text.label for text in dev]))


def pooled_states(start: ClassifierStart, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """The vector (text, size) of each text that the head of a start's network would read."""
    network = Classifier(num_words=len(start.vocabulary), num_labels=1, config=start.sizes(ClassifierConfig()))
    start.load_into(network, start.vocabulary)
    size = network.encoder.output_size
    network.head = nn.Linear(size, size)
    with torch.no_grad():
        network.head.weight.copy_(torch.eye(size))
        network.head.bias.zero_()
    return predict_logits(network, TextEncoder(start.vocabulary), texts)

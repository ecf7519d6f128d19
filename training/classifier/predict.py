"""The answers of a classifier's network on texts, and the figures of a set of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from service.text.pipeline import TextEncoder
from service.text.tokenizer import words_of
from service.text.vocabulary import UNK
from training.classification import evaluate_classes
from training.classifier.batches import TextExample, text_batches
from training.classifier.config import ClassifierRun
from training.classifier.corpora import TextSet
from training.classifier.multi_label import evaluate_labels, tune_thresholds
from training.loop import pick_device
from training.networks.classifier import Classifier

MAX_TOKENS = 2048  # of a text; what is beyond is not read


@torch.inference_mode()
def predict_logits(network: Classifier, encoder: TextEncoder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Logits (text, label), in the order of the texts."""
    device = pick_device()
    network = network.to(device).eval()
    # The target carries each text's place, because batches come in another order.
    examples = [
        TextExample(ids=encoder.encode(words_of(text) or [UNK])[:MAX_TOKENS], target=np.array([place], np.float64))
        for place, text in enumerate(texts)
    ]
    logits = np.zeros((len(texts), network.head.out_features), np.float32)
    shape = {"num_words": 8000, "num_texts": 512, "max_tokens": MAX_TOKENS}
    for batch in text_batches(examples, **shape, rng=np.random.default_rng(0)):
        answers = network(batch.ids.to(device), batch.lengths.to(device))
        logits[batch.targets[:, 0].long().numpy()] = answers.float().cpu().numpy()
    return logits


def figures_of(
    part: TextSet, scores: npt.NDArray[np.floating], config: ClassifierRun, labels: Sequence[str]
) -> dict[str, float]:
    """The figures of a set in percent, of ``scores`` (text, label): logits, probabilities or logarithms of them.

    ``official`` is the figure that the configuration names. Multi-label scores are probabilities.
    """
    if config.multi_label:
        gold = np.array([text.target for text in part.texts]) > 0.5
        report = evaluate_labels(gold, scores >= tune_thresholds(gold, scores), labels)
        return {"official": 100 * report.macro_f1, "macro_f1": 100 * report.macro_f1, "micro_f1": 100 * report.micro.f1}
    found = evaluate_classes(gold=[t.label for t in part.texts], predicted=scores.argmax(1), labels=labels)
    figures = {"accuracy": 100 * found.accuracy.value, "macro_f1": 100 * found.macro_f1}
    if config.figure.startswith("f1 "):
        figures[config.figure] = 100 * found.by_label[config.figure.removeprefix("f1 ")].f1
    if config.figure not in figures:
        raise ValueError(f"figure {config.figure!r}: not accuracy, macro_f1 or f1 LABEL")
    return {"official": figures[config.figure], **figures}


def mean_figures(by_set: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The figures by set and name, and ``score``: the mean over the sets of the official figure."""
    named = {f"{name}_{figure}": value for name, figures in by_set.items() for figure, value in figures.items()}
    return {"score": float(np.mean([figures["official"] for figures in by_set.values()])), **named}


def score_sets(
    network: Classifier, encoder: TextEncoder, sets: Sequence[TextSet], config: ClassifierRun, labels: Sequence[str]
) -> dict[str, float]:
    """The figures of a network in training on its dev sets."""
    by_set = {}
    for part in sets:
        logits = predict_logits(network, encoder, [text.text for text in part.texts])
        scores = 1 / (1 + np.exp(-logits)) if config.multi_label else logits
        by_set[part.name] = figures_of(part, scores, config, labels)
    return mean_figures(by_set)

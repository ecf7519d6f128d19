"""The answers of a classifier's network on texts, and its figures on dev sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from service.text.pipeline import UNK, TextEncoder
from service.text.tokenizer import words_of
from training.classifier.batches import TextExample, text_batches
from training.classifier.config import ClassifierRun
from training.classifier.corpora import TextSet
from training.classifier.figures import BOTH, dev_figures, measure_set
from training.classifier.temperature import fit_temperature, probabilities_of
from training.loop import pick_device
from training.networks.classifier import Classifier

MAX_TOKENS = 2048  # of a text; the rest is not read


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


def score_sets(
    network: Classifier, encoder: TextEncoder, sets: Sequence[TextSet], config: ClassifierRun, labels: Sequence[str]
) -> dict[str, float]:
    """The figures of a network in training on its dev sets.

    Where likelihood helps to choose the epoch it is that of calibrated probabilities, because the network will be
    calibrated in the end.
    """
    found = []
    for part in sets:
        logits = predict_logits(network, encoder, [text.text for text in part.texts])
        if config.multi_label:
            scores = 1 / (1 + np.exp(-logits))
        elif config.figure == BOTH:
            scores = probabilities_of(logits, fit_temperature(logits, [text.label for text in part.texts]))
        else:
            scores = probabilities_of(logits)
        found.append(measure_set(part, scores, config, labels))
    return dev_figures(found, config)

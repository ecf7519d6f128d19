"""What a trained classifier says of texts, in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from service.text.pipeline import TextEncoder
from service.text.tokenizer import words_of
from service.text.vocabulary import UNK
from training.classification import ClassReport, evaluate_classes
from training.corpora.text_tasks import TASKS, TextSet
from training.loop import pick_device
from training.networks.classifier import Classifier
from training.text_batches import TextExample, text_batches

MAX_TOKENS = 2048  # read of a text; what is beyond does not count


@torch.inference_mode()
def predict_logits(network: Classifier, encoder: TextEncoder, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """(text, label) logits, in the texts' order."""
    device = pick_device()
    network = network.to(device).eval()
    # The target carries each text's place, for batches come in another order.
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


def score_texts(network: Classifier, encoder: TextEncoder, sets: Sequence[TextSet]) -> Mapping[str, float]:
    """In percent, by set: accuracy, macro F1 and the set's official figure; ``score`` is the mean of the latter."""
    figures = {}
    for part in sets:
        predicted = predict_logits(network, encoder, [text.text for text in part.texts]).argmax(1)
        report = evaluate_classes(gold=[t.label for t in part.texts], predicted=predicted, labels=TASKS[part.name])
        figures[f"{part.name}_accuracy"] = 100 * report.accuracy.value
        figures[f"{part.name}_macro_f1"] = 100 * report.macro_f1
        figures[f"{part.name}_official"] = 100 * official_figure(part.name, report)
    return {"score": float(np.mean([figures[f"{part.name}_official"] for part in sets])), **figures}


def official_figure(task: str, report: ClassReport) -> float:
    """What a task's tables report: accuracy; of TweetEval's, F1 of irony and macro F1 of emotion."""
    if task == "irony":
        return report.by_label["irony"].f1
    return report.macro_f1 if task == "emotion" else report.accuracy.value

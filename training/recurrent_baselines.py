"""Small recurrent networks side by side, from scratch: which cell, one direction or two, how a text is summed up.

    python -m training.recurrent_baselines --task sentiment --output recurrent.json

The same figures as training/text_baselines.py has of linear models, in the same form; what differs in pooling alone is
compared on dev.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from service.text.pipeline import TextEncoder
from training.classification import evaluate_classes
from training.config import FitConfig
from training.corpora.text_tasks import SENTIMENT, TASKS, TextSet, read_sets, read_training
from training.loop import fit, seed_everything
from training.minimal_pairs import score_pairs
from training.networks.classifier import Classifier, ClassifierConfig
from training.text_baselines import measure_speed
from training.text_mixture import TextMixture, labelled_examples
from training.text_prediction import predict_logits, score_texts
from training.vocabularies import vocabulary_of_texts

NUM_TIMED = 500  # texts
PLAIN = ClassifierConfig(
    word_size=100, hidden_size=128, bidirectional=False, weight_drop=0.0, input_dropout=0.2, word_dropout=0.0
)
FIT = FitConfig(num_epochs=4, learning_rate=2e-3, gradient_clip=1.0, ema_decay=0.995)
BOTH = replace(PLAIN, bidirectional=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    name: str
    network: ClassifierConfig
    splits: tuple[str, ...] = ("dev", "test")


RECIPES = (
    Recipe(name="vanilla RNN", network=replace(PLAIN, cell="rnn")),
    Recipe(name="GRU", network=replace(PLAIN, cell="gru")),
    Recipe(name="LSTM", network=PLAIN),
    Recipe(name="BiLSTM", network=BOTH),
    *(
        Recipe(name=f"BiLSTM, {pooling} pooling", network=replace(BOTH, pooling=pooling), splits=("dev",))
        for pooling in ("last", "mean", "attention")
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long each network learns, and from how much."""

    max_words: int = 20_000
    epoch_texts: int = 12_000  # of each set
    max_tokens: int = 200
    batch_words: int = 5000
    batch_texts: int = 100
    fit: FitConfig = FIT


class RecurrentClassifier:
    """A network and its encoder, from texts to classes."""

    def __init__(self, network: Classifier, encoder: TextEncoder) -> None:
        self._network = network
        self._encoder = encoder

    def predict(self, texts: Sequence[str]) -> list[int]:
        """The class of each text."""
        classes: list[int] = predict_logits(self._network, self._encoder, texts).argmax(1).tolist()
        return classes

    @property
    def size_bytes(self) -> int:
        return sum(4 * parameter.numel() for parameter in self._network.parameters())


def run_task(task: str, data_dir: Path | None, folder: Path, effort: Effort | None = None) -> dict[str, Any]:
    """All figures of a task's recurrent baselines; their runs go into ``folder``."""
    effort = effort or Effort()
    dev, labels = read_sets(task, "dev", data_dir), TASKS[task]
    train = {part.name: read_training(part.name, data_dir) for part in dev}
    texts = (text.text for rows in train.values() for text in rows)
    vocabulary = vocabulary_of_texts(texts, max_words=effort.max_words, min_count=2)
    encoder = TextEncoder(vocabulary, cache_size=500_000)
    mixture = TextMixture(
        examples={name: labelled_examples(texts, encoder, len(labels)) for name, texts in train.items()},
        epoch_texts=dict.fromkeys(train, effort.epoch_texts),
        batch_words=effort.batch_words,
        batch_texts=effort.batch_texts,
        max_tokens=effort.max_tokens,
    )
    systems = {}
    for recipe in RECIPES:
        seed_everything(effort.fit.seed)
        began = time.perf_counter()
        best = fit(
            Classifier(num_words=len(vocabulary), num_labels=len(labels), config=recipe.network),
            mixture.epoch,
            steps_per_epoch=mixture.batches_per_epoch(),
            score=lambda averaged: score_texts(averaged, encoder, dev),
            config=effort.fit,
            folder=folder / recipe.name.replace(",", "").replace(" ", "-"),
        )
        seconds = time.perf_counter() - began
        sets = {split: read_sets(task, split, data_dir) for split in recipe.splits}
        figures = figures_of(RecurrentClassifier(best, encoder), sets, labels)
        systems[recipe.name] = {"train_seconds": seconds, **figures}
    return {"task": task, "labels": list(labels), "train_texts": sum(map(len, train.values())), "systems": systems}


def figures_of(
    classifier: RecurrentClassifier, sets: Mapping[str, Sequence[TextSet]], labels: Sequence[str]
) -> dict[str, Any]:
    """Size, speed, and the figures on each set; of two opinions also the minimal pairs."""
    timed = {part.name: [text.text for text in part.texts[:NUM_TIMED]] for part in sets["dev"]}
    return {
        "size_bytes": classifier.size_bytes,
        "texts_per_second": {name: measure_speed(classifier, texts) for name, texts in timed.items()},
        "sets": {
            split: {part.name: _score(classifier, part, labels) for part in parts} for split, parts in sets.items()
        },
        "minimal_pairs": score_pairs(classifier.predict).as_dict() if labels is SENTIMENT else None,
    }


def _score(classifier: RecurrentClassifier, part: TextSet, labels: Sequence[str]) -> dict[str, Any]:
    predicted = classifier.predict([text.text for text in part.texts])
    return evaluate_classes(gold=[t.label for t in part.texts], predicted=predicted, labels=labels).as_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and score small recurrent networks on a task.")
    parser.add_argument("--task", choices=tuple(TASKS), required=True)
    parser.add_argument("--data-dir", type=Path, help="folder with the corpora; else they are downloaded")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/recurrent-baselines"))
    parser.add_argument("--output", type=Path, required=True, help="a JSON file")
    options = parser.parse_args()
    figures = run_task(options.task, options.data_dir, options.run_dir)
    options.output.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

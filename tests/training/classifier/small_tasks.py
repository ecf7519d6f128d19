"""Configurations of three small tasks over the made-up corpora, and a fake classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.corpora.made_up_texts import write
from training.classifier.config import ClassifierRun
from training.config import FitConfig, load_config
from training.corpora.labelled_text import LabelledText

HEAD = """
name = "made-up"
version = "0.0.1"
description = "Opinions that nobody has"
is_default = true
min_count = 1
batch_texts = 8
"""
TAIL = """
[network]
word_size = 104
hidden_size = 8
dropout = 0.0
input_dropout = 0.0

[fit]
num_epochs = 12
learning_rate = 1e-2
warmup_steps = 2
bf16 = false
"""
TEACHER = """
[teacher]
batch_pieces = 300
num_taught = 40

[teacher.fit]
num_epochs = 1
learning_rate = 1e-3
warmup_steps = 2
bf16 = false
"""
SENTIMENT = """
labels = ["negative", "neutral", "positive"]
corpora = ["sentiment-general"]

[most_of]
words = 30

[plain]
neutral = 20
"""
EMOTION = """
labels = ["anger", "joy", "neutral"]
multi_label = true
corpora = ["goemotions"]
word_vectors = false

[sample]
taught = 2
"""
INTENT = """
corpora = ["intents/clinc150"]
figure = "accuracy"
groups = "intents/clinc150/domains"
word_vectors = false
"""
IRONY = """
labels = ["non_irony", "irony"]
corpora = ["tweeteval/irony"]
figure = "f1 irony"
word_vectors = false
"""
TASKS = {
    "sentiment": HEAD + SENTIMENT + TAIL,
    "emotion": HEAD + EMOTION + TEACHER + TAIL,
    "intent": HEAD + INTENT + TAIL,
    "irony": HEAD + IRONY + TAIL,
}
TAUGHT = "0.9000\t0.1000\t0.0500\thate hate\n0.0500\t0.9000\t0.1000\tso happy\n0.1000\t0.1000\t0.8000\t☎\n"


def write_task(folder: Path, task: str, extra: str = "") -> Path:
    """The configuration file of a task; ``extra`` lines are tables."""
    write(folder / f"{task}.toml", TASKS[task] + extra)
    return folder / f"{task}.toml"


def task_of(folder: Path, task: str) -> ClassifierRun:
    """The configuration of a task as the scripts read it."""
    return load_config(ClassifierRun, write_task(folder, task))


def config(**choices: Any) -> ClassifierRun:
    """A configuration with nothing but what is said."""
    least = {"name": "made-up", "version": "1", "description": "Made up", "corpora": ("spam/sms",)}
    return ClassifierRun(**{**least, "fit": FitConfig(num_epochs=1, learning_rate=1e-3), **choices})


def labelled(*pairs: tuple[str, int], num_labels: int = 2, source: str = "here") -> list[LabelledText]:
    """Texts of one label each, by its place."""
    targets = np.eye(num_labels).tolist()
    return [LabelledText(text=text, target=tuple(targets[label]), source=source) for text, label in pairs]


def several(rows: Sequence[tuple[str, Sequence[int]]], num_labels: int) -> list[LabelledText]:
    """Texts of several labels each, or none."""
    return [
        LabelledText(text=text, target=tuple(float(place in labels) for place in range(num_labels)), source="here")
        for text, labels in rows
    ]

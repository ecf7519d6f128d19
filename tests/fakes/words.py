"""What the tiny networks know: a few words, each with its tags and its share of a text's class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

NUM_CHARACTERS = 6
UPOS, XPOS, ENTITY = (
    ("NOUN", "VERB", "ADP", "X"),
    ("NN", "VBZ", "IN", "FW"),
    ("O", "S-PER", "S-LOC", "B-LOC", "E-LOC"),
)
# word -> index of upos and xpos, index of entity
LEXICON: Mapping[str, tuple[int, int]] = {
    "plays": (1, 0),
    "well": (0, 0),
    "with": (2, 0),
    "others": (0, 0),
    "alice": (0, 1),
    "paris": (0, 2),
    "hong": (0, 3),
    "kong": (0, 4),
}
UNKNOWN = (3, 0)
CONFIDENCE = 0.9  # of every entity tag

LABELS = ("negative", "positive")
# word -> what it adds to the logit of positive; eighths add up exactly
SENTIMENT: Mapping[str, float] = {"good": 1.0, "exciting": 2.5, "bad": -1.0, "boring": -2.5, "plot": 0.125}
# A multi-label network adds a word's weight, its opposite and its strength to the logits.
MULTI_LABELS = ("negative", "positive", "strong")
THRESHOLDS: Mapping[str, float] = {"negative": 0.6, "positive": 0.6, "strong": 0.9}


def tables() -> dict[str, npt.NDArray[np.float32]]:
    """By word id: (word, tag) logits, or log-probabilities for ``entity``."""
    columns = [UNKNOWN] * 3 + list(LEXICON.values())
    pos = np.array([row[0] for row in columns])
    entity = np.array([row[1] for row in columns])
    rest = (1 - CONFIDENCE) / (len(ENTITY) - 1)
    return {
        "upos": np.eye(len(UPOS), dtype=np.float32)[pos],
        "xpos": np.eye(len(XPOS), dtype=np.float32)[pos],
        "entity": np.log(np.where(np.eye(len(ENTITY))[entity] > 0, CONFIDENCE, rest)).astype(np.float32),
    }


def weights() -> npt.NDArray[np.float32]:
    """By word id: (word,), padding and unknown words 0."""
    return np.array([0.0] * 3 + list(SENTIMENT.values()), np.float32)


def multi_weights() -> npt.NDArray[np.float32]:
    """By word id: (word, label) shares of the multi-label network's logits."""
    return np.stack([-weights(), weights(), np.abs(weights())], axis=1)


def probabilities_of(text: str) -> dict[str, float]:
    """Of each of the multi-label network's labels, for a text of words and spaces."""
    found = [SENTIMENT.get(word, 0.0) for word in text.lower().split()]
    logits = (-sum(found), sum(found), sum(map(abs, found)))
    return {label: float(1 / (1 + np.exp(-logit))) for label, logit in zip(MULTI_LABELS, logits, strict=True)}


def chosen_of(text: str) -> list[str]:
    """Its labels, best first."""
    found = sorted(probabilities_of(text).items(), key=lambda pair: -pair[1])
    return [label for label, probability in found if probability >= THRESHOLDS[label]]


def probability_of(text: str) -> float:
    """That a text of words and spaces is positive."""
    logit = sum(SENTIMENT.get(word, 0.0) for word in text.lower().split())
    return float(1 / (1 + np.exp(-logit)))

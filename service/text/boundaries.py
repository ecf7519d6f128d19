"""Does a sentence end between two words? A logistic regression over the words around the gap.

Trained on the training section of UD English EWT by ``training/tokenizer/train_sentence_splitter.py``, which takes its
features from here; the weights are the data file beside this module.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.text.conventions import TITLES

# The kinds of feature, in the order in which `keys_at` gives their keys.
KINDS = (
    *("left", "left2", "right", "right2"),  # the words on each side, in lower case
    *("gap", "before", "after"),  # the shapes on each side, and of one word more
    *("length", "left_shape", "right_shape", "opening"),  # with how long the sentence is and how it began
)

Table = dict[str, float]


def shape_of(word: str) -> str:
    """Letters by their case, numbers by their kind, punctuation by itself."""
    if word.isalpha():
        if word.islower():
            return "x"
        return ("X" if len(word) == 1 else "XX") if word.isupper() else "Xx" if word[0].isupper() else "xX"
    first = word[:1]
    if first.isdigit():
        return "9" if len(word) < 3 else "99"
    if first.isalpha():
        if word[-1] == ".":
            return "t." if word[:-1].lower() in TITLES else "a."
        return "@" if len(word) > 9 and ("@" in word or "/" in word) else "a"
    if len(word) > 2:
        return word[:2] + "+" if word.isascii() else "u+"
    return word


def keys_at(words: Sequence[str], place: int, start: int, spaced: bool) -> tuple[str, ...]:
    """One feature of each kind, of the gap before ``words[place]`` when the sentence began at ``start``."""
    left, right = words[place - 1], words[place]
    left2 = words[place - 2] if place - start > 1 else ""
    right2 = words[place + 1] if place + 1 < len(words) else ""
    shape, right_shape = shape_of(left), shape_of(right)
    around = shape + (" _ " if spaced else " ") + right_shape
    length = place - start
    return (
        left.lower(),
        left2.lower(),
        right.lower(),
        right2.lower(),
        around,
        f"{shape_of(left2)} {around}",
        f"{around} {shape_of(right2)}",
        f"{shape} {length if length < 4 else length.bit_length() + 2}",
        f"{left.lower()} {right_shape}",
        f"{shape} {right}",
        f"{shape_of(words[start])} {around}",
    )


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryModel:
    """One table of weights for each kind of feature; the bias is added to them."""

    tables: tuple[Table, ...]
    bias: float

    def score(self, words: Sequence[str], place: int, start: int, spaced: bool) -> float:
        """The log-odds that a sentence ends before ``words[place]``."""
        total = self.bias
        for table, key in zip(self.tables, keys_at(words, place, start, spaced), strict=True):
            total += table.get(key, 0.0)
        return total


def load_boundary_model(path: Path = Path(__file__).with_name("boundaries.json")) -> BoundaryModel:
    content = json.loads(path.read_text("utf-8"))
    return BoundaryModel(tables=tuple(content["weights"][kind] for kind in KINDS), bias=content["bias"])

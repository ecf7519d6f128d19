"""Sentence boundaries: whether a sentence ends between two words, by rules and a logistic regression.

The regression reads the words around the gap. ``training/tokenizer/train_sentence_splitter.py`` trains it on the
training section of UD English EWT with the features of this module; the weights are the data file beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

# The kinds of feature, in the order in which `keys_at` gives their keys.
KINDS = (
    *("left", "left2", "right", "right2"),  # the words on each side, in lower case
    *("gap", "before", "after"),  # the shapes on each side, and of one word more
    *("length", "left_shape", "right_shape", "opening"),  # with how long the sentence is and how it began
)

# Those after which no sentence ends: a name or a number follows.
TITLES = frozenset("dr mr mrs ms prof st ft mt sgt capt col gen lt rev hon gov sen rep vs attn et".split())
# A sentence ends between an abbreviation and one of these, which begin sentences and are hardly ever names.
OPENERS = frozenset(
    """After Although And As Because Before But Did Do Does Each Every For He Her His How However I If Is It Its My No
    Not Now Our Please She So Some Such Thanks That The Their Then There These They This Those Was We Were What When
    Where Which While Who Why With Yes You Your""".split()
)
CONTINUED = TITLES | frozenset("ca cf e.g eg i.e ie v viz vs".split())  # the sentence goes on behind these
# No sentence ends between these and a number: `see fig. 2`, `ref. no. 12345`.
NUMBERED = frozenset(
    """art ch chap cl div eq eqs ex fig figs no nos op p par para pg pgs pp pt ref refs reg sec sect tab ver vol
    vols""".split()
)
# Nor, behind a number, between these and a small letter: `20 min. by car`.
MEASURES = frozenset(
    """cm cu doz ft g gal h hr hrs in kg km lb lbs m mg mi min mins ml mm oz pkg pt pts qt qts sec secs sq tbsp tsp yd
    yds yr yrs""".split()
)
# Nor between these and a small letter or a number: `max. speed`, `approx. 5 km`.
SHORTENED = frozenset(
    """approx avg ca cont dept encl est excl ext fig figs govt incl intl max med mfg min misc natl op ref refs sq
    tbsp temp tsp""".split()
)
# A sentence may begin with these in small letters.
SUBJECTS = frozenset("i he she it its we they you this that there then but so and im".split())

Table = dict[str, float]
_LONG_WORD = 64  # characters


def shape_of(word: str) -> str:
    """Return the shape of a word: letters by their case, numbers by their kind, punctuation by itself. The middle of a
    very long word is left out: a sentence's first word is read for each place where it could end."""
    return _shape_of(word if len(word) <= _LONG_WORD else word[: _LONG_WORD // 2] + word[-_LONG_WORD // 2 :])


@lru_cache(maxsize=1 << 14)
def _shape_of(word: str) -> str:
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
    """Return one feature of each kind, of the gap before ``words[place]`` when the sentence began at ``start``."""
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


def known_boundary(words: Sequence[str], place: int, start: int) -> bool | None:
    """Return whether a sentence ends before ``words[place]``, after white space, where a rule knows it; None where the
    model has to judge.

    The corpus, which the model learned from, has hardly any of these: `B follows A. Then comes C.` ends after `A.`, and
    nothing ends within `no. 5`, `20 min. by car` and `max. speed`.
    """
    left, right = words[place - 1], words[place]
    if left[-1] != ".":
        return None
    is_joined = len(left) > 1  # the stop is a part of the abbreviation
    word = (left[:-1] if is_joined else words[place - 2] if place - start > 1 else "").lower()
    if is_joined and right in OPENERS and left[0].isalpha():
        return True if place - start > 1 and word not in CONTINUED else None
    if right[0].isdigit():
        return False if word in NUMBERED or word in SHORTENED else None
    if right[0].islower() and right not in SUBJECTS:
        before = place - (2 if is_joined else 3)
        is_measured = word in MEASURES and before >= start and (is_joined or words[before][-1].isdigit())
        return False if is_measured or word in SHORTENED else None
    return None


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryModel:
    """One table of weights for each kind of feature; the bias is added to them."""

    tables: tuple[Table, ...]
    bias: float

    def score(self, words: Sequence[str], place: int, start: int, spaced: bool) -> float:
        """Return the log-odds that a sentence ends before ``words[place]``."""
        total = self.bias
        for table, key in zip(self.tables, keys_at(words, place, start, spaced), strict=True):
            total += table.get(key, 0.0)
        return total


def load_boundary_model(path: Path = Path(__file__).with_name("boundaries.json")) -> BoundaryModel:
    content = json.loads(path.read_text("utf-8"))
    return BoundaryModel(tables=tuple(content["weights"][kind] for kind in KINDS), bias=content["bias"])

"""What is not translated but copied: addresses, handles, numbers, emoji and foreign words.

``mask`` puts a placeholder in their place before encoding; ``restore`` puts them back, each placeholder of the
translation to the one of the source that the network looked at when it wrote it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt

from service.text.subwords import PLACEHOLDER

Weights = npt.NDArray[np.float32]

# Marks belong to the letter before them; Python's \w leaves them out.
_MARKS = r"\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0e31-\u0e3a\u0e47-\u0e4e"
_LETTER = rf"[^\W\d_{_MARKS}]"
_PICTURE = r"[\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001F000-\U0001FAFF]"
_EMOJI = rf"""
    (?:[\U0001F1E6-\U0001F1FF]{{2}} | [0-9\#*]\ufe0f?\u20e3
      | [\u00a9\u00ae\u203c\u2049\u2122\u2139]\ufe0f
      | {_PICTURE}(?:[\ufe0e\ufe0f\U0001F3FB-\U0001F3FF\u20e3\U000E0020-\U000E007F]|\u200d{_PICTURE})*)+
"""
_LINK_END = r"""[^\s<>"“”«».,!?;:'’)\]}*]"""
_DOMAINS = r"com|org|net|edu|gov|info|biz|(?:co|ac|org)\.uk|uk|ca|de|fr|es|io|eu"
_ADDRESS = rf"""
    (?i:(?:https?|ftps?|file)://|www\.(?=\w))[^\s<>"“”«»]*{_LINK_END}
  | (?<![\w.+%-])(?:mailto:)?[\w.+%-]{{1,64}}@[\w-]{{1,64}}(?:\.[\w-]{{1,64}}){{1,8}}
  | (?<![\w.@-])[a-z0-9-]{{1,63}}(?:\.[a-z0-9-]{{1,63}}){{0,6}}\.(?:{_DOMAINS})(?![\w-])(?:/[^\s<>"“”«»]*{_LINK_END})?
  | (?<![\w@])@\w{{1,64}} | (?<![\w\#&])\#\w{{1,64}}
"""
_NUMBER = r"\d[.,:]?\d(?:[.,:]?\d)+"
_EMOJIS = re.compile(_EMOJI, re.VERBOSE)
# Whatever can be copied begins with, or holds, one of these; most sentences have none and are done.
_TRIGGER = re.compile(rf"[@\#{PLACEHOLDER}]|\d[.,:]?\d[.,:]?\d|://|\w\.[a-z]|\u20e3|\ufe0f|{_PICTURE}", re.VERBOSE)
# A word is read whole, so that it is copied whole, and so that the time grows with the length and no faster.
_SCANNER = re.compile(
    rf"(?P<copied>{PLACEHOLDER}|{_ADDRESS}|{_EMOJI}|{_NUMBER})|{_LETTER}(?:{_LETTER}|[{_MARKS}\u200c\u200d])*|\S",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Masked:
    """A text with a placeholder for each of its originals, in order."""

    text: str
    originals: tuple[str, ...] = ()


def mask(text: str, alphabet: frozenset[str]) -> Masked:
    """Replace what is to be copied; what has a character outside of ``alphabet`` is. Neighbours with at most white
    space between are one original. The text is brought into composed form (NFC) on the way."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if alphabet.issuperset(text) and not _TRIGGER.search(text):
        return Masked(text)
    spans = list(_spans(text, alphabet))
    kept = [text[end:start] for end, start in pairwise([0, *chain.from_iterable(spans), len(text)])][::2]
    return Masked(PLACEHOLDER.join(kept), tuple(text[start:end] for start, end in spans))


def without_edges(text: str) -> tuple[int, int]:
    """Where the text begins and ends that emoji and white space at its edges only surround; empty if that is all."""
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    runs = [match.span() for match in _EMOJIS.finditer(text)] if not text.isascii() else []
    for first, last in runs:
        if text[start:first].strip():
            break
        start = last
    for first, last in reversed(runs):
        if text[last:end].strip():
            break
        end = first
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), max(start, end - len(inner) + len(inner.rstrip()))


def restore(translation: str, copies: Sequence[str]) -> str:
    """Put copies in a translation's placeholders, one after another. A placeholder without one goes, and so does one
    whose copy is empty; copies without a placeholder are left out."""
    remaining = iter(copies)

    def filled(match: re.Match[str]) -> str:
        copy = next(remaining, "")
        return match[0].replace(PLACEHOLDER, copy) if copy else ""

    return re.sub(f" ?{PLACEHOLDER}", filled, translation).strip(" ")


def assign(weights: Weights) -> list[int | None]:
    """Which original each placeholder of a translation is; ``weights`` (placeholder, original) say how much each was
    looked at. None is used twice: the largest weight of all first, the earlier place where they tie; a placeholder
    too many has none."""
    num_rows, num_columns = weights.shape
    chosen: list[int | None] = [None] * num_rows
    free = set(range(num_columns))
    for place in np.argsort(-weights, axis=None, kind="stable").tolist():
        row, column = divmod(place, num_columns)
        if chosen[row] is None and column in free:
            chosen[row] = column
            free.remove(column)
    return chosen


def has_words(text: str) -> bool:
    """Is there anything to translate: a letter outside of what is copied?"""
    return any(map(str.isalpha, text))


def _spans(text: str, alphabet: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Where the originals stand, from left to right, neighbours as one."""
    start = end = -1
    for match in _SCANNER.finditer(text):
        if match.lastgroup != "copied" and alphabet.issuperset(match[0]):
            continue
        if end < 0 or text[end : match.start()].strip():
            if end >= 0:
                yield start, end
            start = match.start()
        end = match.end()
    if end >= 0:
        yield start, end

"""Sentences in capitals and titles, written as sentences for the network, and translations in capitals again."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# In capitals or with one at the beginning, in the middle of an English sentence.
_PRONOUN = re.compile(r"(?i)i(?:['’](?:m|ve|ll|d))?")
_LEAST_LETTERS = 5  # of a single word in capitals that is no acronym
_LONG_WORD = 4  # letters of a word that titles capitalise in any style
_LEAST_TITLE_WORDS = 3
_MOST = 0.75


class Casing(Enum):
    """How a sentence is written."""

    SENTENCE = "sentence"
    CAPITALS = "capitals"
    TITLE = "title"


def casing_of(text: str) -> Casing:
    """How most words of an English text are written. A single word in capitals may be an acronym, so it counts only if
    it is long."""
    words = [word for word in _WORD.findall(text) if len(word) > 1]
    capitals = [word for word in words if word.isupper()]
    if len(capitals) > _MOST * len(words) and (len(capitals) > 1 or len(capitals[0]) >= _LEAST_LETTERS):
        return Casing.CAPITALS
    long = [word for word in words if len(word) >= _LONG_WORD and not word.isupper()]
    is_title = len(long) > 1 and sum(word[0].isupper() for word in long) > _MOST * len(long)
    return Casing.TITLE if is_title and len(_WORD.findall(text)) >= _LEAST_TITLE_WORDS else Casing.SENTENCE


def sentence_case(text: str, casing: Casing, length_of: Callable[[str], int]) -> str:
    """A text in capitals or a title as an English sentence, of the same length. A word keeps its capital if it is the
    first one, or if ``length_of``, its number of subwords, is less with the capital: names and languages."""
    if casing is Casing.SENTENCE:
        return text
    is_first = True

    def written(match: re.Match[str]) -> str:
        nonlocal is_first
        word, keeps = match[0], is_first
        is_first = False
        if casing is Casing.TITLE and word.isupper() and len(word) > 1:
            return word
        small = word.lower()
        capital = small[:1].upper() + small[1:]
        if not len(small) == len(capital) == len(word):
            return word
        return capital if keeps or _PRONOUN.fullmatch(word) or length_of(capital) < length_of(small) else small

    return _WORD.sub(written, text)


def in_capitals(text: str, alphabet: frozenset[str]) -> str:
    """The text in capitals, characters aside that have none in ``alphabet``."""
    upper = text.upper()
    if alphabet.issuperset(upper):
        return upper
    return "".join(large if alphabet.issuperset(large := each.upper()) else each for each in text)

"""Sentences in capitals and titles, written as sentences for the network, and translations in capitals again."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# In capitals or with one at the beginning, in the middle of an English sentence.
_PRONOUN = re.compile(r"(?i)i(?:['’](?:m|ve|ll|d))?")
_LEAST_LETTERS = 5  # of a single word in capitals that is no acronym
_LEAST_TITLE_WORDS = 3
_MOST = 0.75
_PUNCTUATION = ".,;:!?()\"'"  # around a word
# Some styles write them small in titles; in sentences they are small, so that one with a capital tells a title.
_SMALL_IN_TITLES = frozenset(
    "a an the and but or nor as at by for from in into of off on per to up via vs with".split()
)
_SMALL_IN_SENTENCES = _SMALL_IN_TITLES | frozenset(
    """about after all and any are be before can do does how if is it its more my no not our out over that their these
    this under was we were what when where which who why will you your""".split()
)


class Casing(Enum):
    """Way in which a sentence is written."""

    SENTENCE = "sentence"
    CAPITALS = "capitals"
    TITLE = "title"


def casing_of(text: str) -> Casing:
    """Return the casing of most words of an English text. A short word in capitals alone may be an acronym."""
    words = [word for word in _WORD.findall(text) if len(word) > 1]
    capitals = [word for word in words if word.isupper()]
    if len(capitals) > _MOST * len(words) and (len(capitals) > 1 or len(capitals[0]) >= _LEAST_LETTERS):
        return Casing.CAPITALS
    return Casing.TITLE if _is_title(text) else Casing.SENTENCE


def _is_title(text: str) -> bool:
    """Whether nearly all words begin with a capital. Of few words, which may be names, and of what ends as sentences do
    a word must tell it that only titles capitalise, or that only titles leave small among capitals."""
    words = _WORD.findall(text)
    counted = [word for word in words if word not in _SMALL_IN_TITLES and not (word.isupper() and len(word) > 1)]
    num_capitals = sum(word[0].isupper() for word in counted)
    if len(words) < _LEAST_TITLE_WORDS or num_capitals < 2 or num_capitals <= _MOST * len(counted):
        return False
    tells = any(word[0].isupper() and word.lower() in _SMALL_IN_SENTENCES for word in words[1:])
    if _ends_as_sentence(text):
        return tells and num_capitals == len(counted)
    return tells or len(words) > _LEAST_TITLE_WORDS or len(counted) < len(words)


def _ends_as_sentence(text: str) -> bool:
    """Whether there is a full stop or semicolon behind the last word."""
    for character in reversed(text):
        if character in ".;" or character.isalnum() or character == "_":
            return character in ".;"
    return False


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


def begin_alike(source: str, translation: str, alphabet: frozenset[str]) -> str:
    """The translation of a sentence that begins with a capital letter, with one too. What is of one word, and so may be
    a German noun, or begins with a word of the source, such as a file's name, stays as it is."""
    first = translation[:1]
    capital = first.upper()
    begins_small = source[:1].isupper() and first.islower() and capital in alphabet
    words = [word.strip(_PUNCTUATION) for word in source.split()]
    if not begins_small or len(words) < 2 or translation.split(maxsplit=1)[0].strip(_PUNCTUATION) in words:
        return translation
    return capital + translation[1:]

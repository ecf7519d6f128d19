"""Marks that a translation lost: half of a pair of brackets or quotation marks, and Spanish marks that open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from service.text.placeholders.alignment import TargetToken

QUOTES = '"“”„«»'
_PAIRS = ("()", "[]", QUOTES)
_MATES = {"«": "»", "»": "«", "“": "”", "”": "“", "„": "“", '"': '"', "(": ")", ")": "(", "[": "]", "]": "["}
_SPANISH = {"?": "¿", "!": "¡"}
_FINAL = frozenset(".,;:!?…")


def has_pairs(text: str) -> bool:
    """Whether a text has exactly one pair of some brackets or of quotation marks."""
    return any(_has_pair(text, marks) for marks in _PAIRS)


def needs_mending(source: str, translation: str, language: str) -> bool:
    """Whether a translation may lack marks: the source has a pair, or a Spanish question does not begin like one."""
    return has_pairs(source) or (
        language == "es" and translation[-1:] in _SPANISH and source.rstrip()[-1:] == translation[-1:]
    )


def mended(
    tokens: Sequence[TargetToken], source: str, pieces: Sequence[str], *, language: str, alphabet: frozenset[str]
) -> list[TargetToken]:
    """The tokens of a translation with the marks of ``alphabet`` that it lacks; ``pieces`` are the source's."""
    tokens = _with_both_halves(tokens, source, pieces, alphabet) if tokens else []
    mark = tokens[-1].text if tokens else ""
    opening = _SPANISH.get(mark, "") if language == "es" and source.rstrip().endswith(mark) else ""
    if not opening or opening not in alphabet or any(token.text == opening for token in tokens):
        return tokens
    return _with_opening_mark(tokens, opening)


def _with_opening_mark(tokens: Sequence[TargetToken], opening: str) -> list[TargetToken]:
    """The tokens of a Spanish sentence with the mark that opens it."""
    first = next((place for place, token in enumerate(tokens) if token.text not in _MATES), 0)
    following = tokens[first]
    added = replace(following, text=opening, is_item=False), replace(following, is_spaced=False)
    return [*tokens[:first], *added, *tokens[first + 1 :]]


def _with_both_halves(
    tokens: Sequence[TargetToken], source: str, pieces: Sequence[str], alphabet: frozenset[str]
) -> list[TargetToken]:
    """The tokens with the other half of brackets or quotation marks of which they have one and the source both."""
    tokens = list(tokens)
    for marks in _PAIRS:
        where = [column for column, piece in enumerate(pieces) if piece.strip() and piece.strip() in marks]
        found = [place for place, token in enumerate(tokens) if token.text in marks and not token.is_item]
        if (
            len(where) == 2
            and len(found) == 1
            and _has_pair(source, marks)
            and _MATES[tokens[found[0]].text] in alphabet
        ):
            tokens = _completed(tokens, found[0], range(where[0] + 1, where[1]))
    return tokens


def _completed(tokens: list[TargetToken], place: int, inside: range) -> list[TargetToken]:
    """The tokens with the mate of the mark at ``place``; ``inside`` are the source pieces between the two."""
    mark = tokens[place]
    mate = replace(mark, text=_MATES[mark.text], is_spaced=False)
    comes_from = np.array([token.weights[inside.start : inside.stop].sum() > 0.5 for token in tokens])
    if _opens(tokens, place):
        behind = np.flatnonzero(comes_from[place + 1 :])
        end = place + 2 + int(behind[-1]) if len(behind) else len(tokens)
        while end == len(tokens) and end > place + 2 and tokens[end - 1].text in _FINAL:
            end -= 1
        return [*tokens[:end], mate, *tokens[end:]]
    before = np.flatnonzero(comes_from[:place])
    start = int(before[0]) if len(before) else 0
    first = tokens[start : start + 1]
    opening = replace(mate, is_spaced=bool(start) and first[0].is_spaced)
    return [*tokens[:start], opening, *(replace(each, is_spaced=False) for each in first), *tokens[start + 1 :]]


def _opens(tokens: Sequence[TargetToken], place: int) -> bool:
    """Whether a mark opens a pair: by what it is, or by where white space stands."""
    text = tokens[place].text
    if text in "([«„":
        return True
    if text in ")]»":
        return False
    return place + 1 < len(tokens) and (place == 0 or (tokens[place].is_spaced and not tokens[place + 1].is_spaced))


def _has_pair(text: str, marks: str) -> bool:
    """Whether a text has exactly one pair of these marks."""
    if marks == QUOTES:
        return sum(map(text.count, marks)) == 2
    return text.count(marks[0]) == text.count(marks[1]) == 1

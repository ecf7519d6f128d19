"""Tokens of a translation: aligned with the pieces of its source by a network's attention, and completed with marks
that it lost: half of a pair of brackets or quotation marks, and Spanish marks that open."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from service.text.placeholders.masking import SYMBOLS

Floats = npt.NDArray[np.float32]

_TOKEN = re.compile(r"\w+|\S")
_SYMBOLS = frozenset(SYMBOLS)


@dataclass(frozen=True, slots=True, eq=False)
class TargetToken:
    """A word, punctuation mark, symbol or item of a translation."""

    text: str
    is_spaced: bool  # white space stands before it
    weights: Floats  # (source piece,), sum to 1: which of them it comes from
    is_item: bool = False

    @property
    def is_symbol(self) -> bool:
        return not self.is_item and self.text in _SYMBOLS


def target_tokens(pieces: Sequence[str], weights: Floats) -> list[TargetToken]:
    """The tokens of a translation of these pieces; ``weights`` are (target piece, source piece)."""
    rows = [row for row, piece in enumerate(pieces) for _ in piece]
    tokens, end = list[TargetToken](), 0
    for match in _TOKEN.finditer("".join(pieces)):
        first, last = rows[match.start()], rows[match.end() - 1] + 1
        is_spaced = bool(tokens) and match.start() > end
        tokens.append(TargetToken(match[0], is_spaced, weights[first:last].mean(axis=0)))
        end = match.end()
    return tokens


def without(tokens: Sequence[TargetToken], places: Container[int]) -> list[TargetToken]:
    """The tokens without those at some places. White space before one that is removed stays before the next word."""
    result, was_spaced = list[TargetToken](), False
    for place, token in enumerate(tokens):
        if place in places:
            was_spaced |= token.is_spaced
        else:
            is_word = token.is_item or token.text[0].isalnum()
            is_spaced = bool(result) and (token.is_spaced or (was_spaced and is_word))
            result.append(replace(token, is_spaced=is_spaced))
            was_spaced = False
    return result


def normalised(attention: Floats, sources: Sequence[str]) -> Floats:
    """Weights (target piece, source piece) whose rows sum to 1, control symbols of the source left out."""
    weights = attention * np.array([bool(piece) for piece in sources], np.float32)
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(weights / np.maximum(total, 1e-9), np.float32)


def one_hot(size: int, place: int) -> Floats:
    """Weights of a token that comes from a single source piece."""
    weights = np.zeros(size, np.float32)
    weights[place] = 1
    return weights


class SourceColumns:
    """Finds the source piece at a place of the masked text. ``pieces`` are the texts of those that the network read.
    They are those of the text and, empty, control symbols. A place behind the last one of a cut text is at that."""

    def __init__(self, text: str, pieces: Sequence[str]) -> None:
        self.symbols = [column for column, piece in enumerate(pieces) if piece.strip() in _SYMBOLS]
        self._text = text
        self._ends = np.cumsum([_num_visible(piece) for piece in pieces])  # visible characters
        self._last = len(pieces) - 1

    def of(self, places: Iterable[int]) -> list[int]:
        """The pieces that spell the first visible characters at or after each place; ``places`` must be sorted."""
        counts = np.array(list(self._counts(places)), np.int64)
        return [min(int(column), self._last) for column in np.searchsorted(self._ends, counts, side="right")]

    def visible_before(self, column: int) -> int:
        """The last piece before one that spells a visible character; 0 if there is none."""
        count = self._ends[column - 1] if column else 0
        return int(np.searchsorted(self._ends, count, side="left")) if count else 0

    def _counts(self, places: Iterable[int]) -> Iterator[int]:
        """How many visible characters stand before each place."""
        count = start = 0
        for place in places:
            count += _num_visible(self._text[start:place])
            start = place
            yield count


def _num_visible(text: str) -> int:
    """How many characters a text has once it is folded as subwords fold it, white space aside."""
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return len("".join(folded.split()))


def assign(weights: Floats) -> list[int | None]:
    """Return the column that each row of ``weights`` belongs to, none used twice: the largest weight of all first, the
    earlier place where they tie. A row too many has none."""
    num_rows, num_columns = weights.shape
    chosen: list[int | None] = [None] * num_rows
    free = set(range(num_columns))
    for place in np.argsort(-weights, axis=None, kind="stable").tolist():
        row, column = divmod(place, num_columns)
        if chosen[row] is None and column in free:
            chosen[row] = column
            free.remove(column)
    return chosen


def best_window(gains: Sequence[float]) -> tuple[int, int]:
    """The half-open window with the largest sum, of at least one place; -inf bars a place. (0, 0) if all are barred."""
    best, window = float("-inf"), (0, 0)
    total, start = 0.0, 0
    for place, gain in enumerate(gains):
        if total <= 0:
            total, start = 0.0, place
        total += gain
        if total > best:
            best, window = total, (start, place + 1)
    return window


QUOTES = '"“”„«»'
_PAIRS = ("()", "[]", QUOTES)
_MATES = {"«": "»", "»": "«", "“": "”", "”": "“", "„": "“", '"': '"', "(": ")", ")": "(", "[": "]", "]": "["}
_SPANISH = {"?": "¿", "!": "¡"}
_FINAL = frozenset(".,;:!?…")


def needs_mending(source: str, translation: str, language: str) -> bool:
    """Whether a translation may lack marks: the source has a pair, or a Spanish question does not begin like one."""
    return any(_has_pair(source, marks) for marks in _PAIRS) or (
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

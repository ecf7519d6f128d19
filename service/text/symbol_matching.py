"""Numbers and names of a source in the place of the symbols that its translation has for them, or where they belong."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.text.alignment import SourceColumns, Token, assign, one_hot, without
from service.text.placeholders import Content, Masked
from service.text.symbols import NUMBER_SYMBOLS, SYMBOLS

_NUMBERS = frozenset(NUMBER_SYMBOLS)
_SPOKEN = re.compile(rf"\w|[{SYMBOLS[0]}-{SYMBOLS[-1]}]")
_FINAL = frozenset('.!?…,;:"”»“)')
_OPENING = frozenset('¿¡(«„"“')


@dataclass(frozen=True, slots=True, eq=False)
class ItemTokens:
    """What a source's numbers and names are as tokens of the translation, in order."""

    tokens: Sequence[Token]
    contents: Sequence[Content]

    @classmethod
    def of(cls, masked: Masked, written: Sequence[str], columns: SourceColumns, num_columns: int) -> ItemTokens:
        """``written`` is how the translation writes each item. Those that were cut off come from the last piece."""
        places = [*columns.symbols, *[num_columns - 1] * len(written)]
        return cls(
            [
                Token(text, is_spaced=True, weights=one_hot(num_columns, place), is_item=True)
                for text, place in zip(written, places, strict=False)
            ],
            masked.contents,
        )

    def columns(self, numbers: Sequence[int]) -> list[int]:
        """The source pieces of items."""
        return [int(self.tokens[number].weights.argmax()) for number in numbers]


def match_symbols(tokens: Sequence[Token], items: ItemTokens) -> dict[int, int]:
    """By the place of a symbol among the tokens the number of its item. Of as many equal symbols each has the items in
    their order. Where there are more or fewer, and for symbols that the source has not, attention chooses an item of
    the class."""
    places = [place for place, token in enumerate(tokens) if token.is_symbol]
    chosen: dict[int, int] = {}
    by_symbol = _grouped(
        ((tokens[place].text, place) for place in places),
        ((content.symbol, number) for number, content in enumerate(items.contents)),
    )
    for rows, numbers in by_symbol:
        same = len(rows) == len(numbers)
        chosen |= zip(rows, numbers, strict=True) if same else _by_attention(tokens, items, rows, numbers)
    taken = set(chosen.values())
    by_class = _grouped(
        ((_class_of(tokens[place].text), place) for place in places if place not in chosen),
        ((_class_of(each.symbol), number) for number, each in enumerate(items.contents) if number not in taken),
    )
    for rows, numbers in by_class:
        chosen |= _by_attention(tokens, items, rows, numbers)
    return chosen


def _class_of(symbol: str) -> str:
    return "number" if symbol in _NUMBERS else "name"


def _grouped(rows: Iterable[tuple[str, int]], numbers: Iterable[tuple[str, int]]) -> list[tuple[list[int], list[int]]]:
    """Rows and numbers that have the same key."""
    groups: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, pairs in enumerate((rows, numbers)):
        for key, value in pairs:
            groups[key][side].append(value)
    return [group for group in groups.values() if all(group)]


def _by_attention(
    tokens: Sequence[Token], items: ItemTokens, rows: Sequence[int], numbers: Sequence[int]
) -> list[tuple[int, int]]:
    """Each row with the number of the item that it looked at, none twice."""
    columns = items.columns(numbers)
    chosen = assign(np.stack([tokens[row].weights[columns] for row in rows]))
    return [(row, numbers[place]) for row, place in zip(rows, chosen, strict=True) if place is not None]


def with_items(tokens: Sequence[Token], items: ItemTokens, chosen: Mapping[int, int]) -> list[Token]:
    """The tokens with items in the place of their symbols; other symbols are left out."""
    named = [
        replace(items.tokens[chosen[place]], is_spaced=token.is_spaced) if place in chosen else token
        for place, token in enumerate(tokens)
    ]
    return without(named, {place for place, token in enumerate(named) if token.is_symbol})


def insert_missing(tokens: Sequence[Token], items: ItemTokens, missing: Sequence[int], source: str) -> list[Token]:
    """The tokens with the missing items: each beside the token that looked most at its symbol in ``source``, the masked
    text, on the side where it stood; those before all words at the beginning, those behind all words at the end."""
    if not missing:
        return list(tokens)
    spoken = [match.start() for match in _SPOKEN.finditer(source)]
    weights = np.stack([token.weights for token in tokens]) if tokens else None
    columns = items.columns(missing)
    added: dict[int, list[int]] = defaultdict(list)
    for number, column in zip(missing, columns, strict=True):
        place = items.contents[number].place
        if place <= spoken[0]:
            added[_after_opening(tokens)].append(number)
        elif place >= spoken[-1] or weights is None:
            added[_before_final(tokens)].append(number)
        else:
            row = int(weights[:, column].argmax())
            before, after = weights[row, column - 1 : column + 2 : 2]
            added[row + int(before > after)].append(number)
    return _merged(tokens, items, added)


def _merged(tokens: Sequence[Token], items: ItemTokens, added: dict[int, list[int]]) -> list[Token]:
    merged: list[Token] = []
    for place in range(len(tokens) + 1):
        following = tokens[place : place + 1]
        for number in added.get(place, ()):
            is_word = bool(following) and following[0].text[0].isalnum()
            is_spaced = following[0].is_spaced if is_word else bool(merged)
            merged.append(replace(items.tokens[number], is_spaced=is_spaced))
            following = [replace(each, is_spaced=each.is_spaced or is_word) for each in following]
        merged += following
    return merged


def _after_opening(tokens: Sequence[Token]) -> int:
    return next((place for place, token in enumerate(tokens) if token.text not in _OPENING), 0)


def _before_final(tokens: Sequence[Token]) -> int:
    place = len(tokens)
    while place and tokens[place - 1].text in _FINAL:
        place -= 1
    return place

"""The numbers and names of a source in its translation: in the place of the symbols that the network wrote for them, or
where they belong; and nothing else that looks like a protected item.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.text.placeholders.alignment import SourceColumns, TargetToken, assign, one_hot, without
from service.text.placeholders.items import Item, scan
from service.text.placeholders.masking import NUMBER_SYMBOLS, SYMBOLS, Content, Masked

_NUMBERS = frozenset(NUMBER_SYMBOLS)
_SPOKEN = re.compile(rf"\w|[{SYMBOLS[0]}-{SYMBOLS[-1]}]")
_FINAL = frozenset('.!?…,;:"”»“)')
_OPENING = frozenset('¿¡(«„"“')


@dataclass(frozen=True, slots=True, eq=False)
class ItemTokens:
    """Numbers and names of a source as tokens of the translation, in order."""

    tokens: Sequence[TargetToken]
    contents: Sequence[Content]

    @classmethod
    def of(cls, masked: Masked, written: Sequence[str], columns: SourceColumns, num_columns: int) -> ItemTokens:
        """Make the tokens of items as ``written`` in the translation. Those cut off come from the last piece."""
        places = [*columns.symbols, *[num_columns - 1] * len(written)]
        return cls(
            [
                TargetToken(text, is_spaced=True, weights=one_hot(num_columns, place), is_item=True)
                for text, place in zip(written, places, strict=False)
            ],
            masked.contents,
        )

    def columns(self, numbers: Sequence[int]) -> list[int]:
        """The source pieces of items."""
        return [int(self.tokens[number].weights.argmax()) for number in numbers]


def match_symbols(tokens: Sequence[TargetToken], items: ItemTokens) -> dict[int, int]:
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
    tokens: Sequence[TargetToken], items: ItemTokens, rows: Sequence[int], numbers: Sequence[int]
) -> list[tuple[int, int]]:
    """Each row with the number of the item that it looked at, none twice."""
    columns = items.columns(numbers)
    chosen = assign(np.stack([tokens[row].weights[columns] for row in rows]))
    return [(row, numbers[place]) for row, place in zip(rows, chosen, strict=True) if place is not None]


def with_items(tokens: Sequence[TargetToken], items: ItemTokens, chosen: Mapping[int, int]) -> list[TargetToken]:
    """The tokens with items in the place of their symbols; other symbols are left out."""
    named = [
        replace(items.tokens[chosen[place]], is_spaced=token.is_spaced) if place in chosen else token
        for place, token in enumerate(tokens)
    ]
    return without(named, {place for place, token in enumerate(named) if token.is_symbol})


def insert_missing(
    tokens: Sequence[TargetToken], items: ItemTokens, missing: Sequence[int], source: str
) -> list[TargetToken]:
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
            after_opening = next((place for place, token in enumerate(tokens) if token.text not in _OPENING), 0)
            added[after_opening].append(number)
        elif place >= spoken[-1] or weights is None:
            added[_before_final(tokens)].append(number)
        else:
            row = int(weights[:, column].argmax())
            before, after = weights[row, column - 1 : column + 2 : 2]
            added[row + int(before > after)].append(number)
    return _merged(tokens, items, added)


def _merged(tokens: Sequence[TargetToken], items: ItemTokens, added: dict[int, list[int]]) -> list[TargetToken]:
    merged: list[TargetToken] = []
    for place in range(len(tokens) + 1):
        following = tokens[place : place + 1]
        for number in added.get(place, ()):
            is_word = bool(following) and following[0].text[0].isalnum()
            is_spaced = following[0].is_spaced if is_word else bool(merged)
            merged.append(replace(items.tokens[number], is_spaced=is_spaced))
            following = [replace(each, is_spaced=each.is_spaced or is_word) for each in following]
        merged += following
    return merged


def _before_final(tokens: Sequence[TargetToken]) -> int:
    place = len(tokens)
    while place and tokens[place - 1].text in _FINAL:
        place -= 1
    return place


_ITEM = SYMBOLS[0]  # stands for an item while the text around it is read
# Signs that make another item of the one beside them: 5 %, #5, {x}.
_SIGNS = frozenset("%‰°$€£¥#@&{}<>\\/")
_UNIT = re.compile(r".*[0-9]\s*", re.DOTALL)  # what stands before a number's unit
_LONGEST_UNIT = 4
_MOST_ROUNDS = 3


def without_inventions(
    tokens: Sequence[TargetToken], items: ItemTokens, missing: Sequence[int], *, source: str, alphabet: frozenset[str]
) -> tuple[list[TargetToken], list[int], int]:
    """The tokens without invented items, the numbers of the items that are still missing, and how many changes were
    made. One that reads like a missing item is this item; a name of letters only is written as a plain word. Signs
    beside items are left out too if ``source``, the masked text, has none."""
    tokens, missing, num_changes = _without_signs(tokens, source), list(missing), 0
    for _ in range(_MOST_ROUNDS):
        text, ends = _read(tokens)
        invented = [item for item in scan(text, alphabet) if item.text not in SYMBOLS]
        if not invented:
            break
        removed: set[int] = set()
        for item in invented:
            places = range(bisect_right(ends, item.start), bisect_left(ends, item.end) + 1)
            number = next((each for each in missing if items.tokens[each].text == item.text), None)
            is_alone = not any(tokens[place].is_item for place in places)
            first = places[0]
            if number is not None and is_alone:
                missing.remove(number)
                tokens[first] = replace(items.tokens[number], is_spaced=tokens[first].is_spaced)
                removed.update(places[1:])
            elif is_alone and len(places) == 1 and (plain := _plain_word(item, alphabet)):
                tokens[first] = replace(tokens[first], text=plain)
                num_changes += 1
            else:
                # In what looks like code around an item, the item and words stay.
                removed.update(
                    place for place in places if is_alone or not (tokens[place].is_item or tokens[place].text.isalpha())
                )
                num_changes += 1
        tokens = _without_signs(without(tokens, removed), source)
    return tokens, missing, num_changes


def _plain_word(item: Item, alphabet: frozenset[str]) -> str:
    """A name of letters only as a plain word; empty if it is none even so."""
    plain = item.text.capitalize()
    return plain if plain.isalpha() and not scan(plain, alphabet) else ""


def _read(tokens: Sequence[TargetToken]) -> tuple[str, list[int]]:
    """The text of the tokens, a symbol for each item, and where each token ends."""
    parts, ends, length = list[str](), list[int](), 0
    for token in tokens:
        parts.append((" " if token.is_spaced else "") + (_ITEM if token.is_item else token.text))
        length += len(parts[-1])
        ends.append(length)
    return "".join(parts), ends


def _without_signs(tokens: Sequence[TargetToken], source: str) -> list[TargetToken]:
    """The tokens without the signs beside items that ``source`` has not, and without units that an item has itself."""
    signs = _SIGNS.difference(source)
    stray = {place for place, token in enumerate(tokens) if not token.is_item and _is_stray(tokens, place, signs)}
    return without(tokens, stray)


def _is_stray(tokens: Sequence[TargetToken], place: int, signs: frozenset[str]) -> bool:
    text = tokens[place].text
    before, after = tokens[max(place - 1, 0) : place], tokens[place + 1 : place + 2]
    if text in signs:
        return any(token.is_item for token in (*before, *after))
    return bool(before) and before[0].is_item and len(text) <= _LONGEST_UNIT and _UNIT.sub("", before[0].text) == text

"""Removing from a translation what looks like a protected item but is none of its source's."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace

from service.text.alignment import Token, without
from service.text.protected import Item, scan
from service.text.symbol_matching import ItemTokens
from service.text.symbols import SYMBOLS

_ITEM = SYMBOLS[0]  # stands for an item while the text around it is read
# Signs that make another item of the one beside them: 5 %, #5, {x}.
_SIGNS = frozenset("%‰°$€£¥#@&{}<>\\/")
_UNIT = re.compile(r".*[0-9]\s*", re.DOTALL)  # what stands before a number's unit
_LONGEST_UNIT = 4
_MOST_ROUNDS = 3


def without_inventions(
    tokens: Sequence[Token], items: ItemTokens, missing: Sequence[int], *, source: str, alphabet: frozenset[str]
) -> tuple[list[Token], list[int], int]:
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
                removed.update(place for place in places if is_alone or not _stays(tokens[place]))
                num_changes += 1
        tokens = _without_signs(without(tokens, removed), source)
    return tokens, missing, num_changes


def _plain_word(item: Item, alphabet: frozenset[str]) -> str:
    """A name of letters only as a plain word; empty if it is none even so."""
    plain = item.text.capitalize()
    return plain if plain.isalpha() and not scan(plain, alphabet) else ""


def _stays(token: Token) -> bool:
    """Whether a token stays, in what looks like code around an item."""
    return token.is_item or token.text.isalpha()


def _read(tokens: Sequence[Token]) -> tuple[str, list[int]]:
    """The text of the tokens, a symbol for each item, and where each token ends."""
    parts, ends, length = list[str](), list[int](), 0
    for token in tokens:
        parts.append((" " if token.is_spaced else "") + (_ITEM if token.is_item else token.text))
        length += len(parts[-1])
        ends.append(length)
    return "".join(parts), ends


def _without_signs(tokens: Sequence[Token], source: str) -> list[Token]:
    """The tokens without the signs beside items that ``source`` has not, and without units that an item has itself."""
    signs = _SIGNS.difference(source)
    stray = {place for place, token in enumerate(tokens) if not token.is_item and _is_stray(tokens, place, signs)}
    return without(tokens, stray)


def _is_stray(tokens: Sequence[Token], place: int, signs: frozenset[str]) -> bool:
    text = tokens[place].text
    before, after = tokens[max(place - 1, 0) : place], tokens[place + 1 : place + 2]
    if text in signs:
        return any(token.is_item for token in (*before, *after))
    return bool(before) and before[0].is_item and len(text) <= _LONGEST_UNIT and _UNIT.sub("", before[0].text) == text

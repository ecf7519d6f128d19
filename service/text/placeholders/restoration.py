"""The protected items of a source put back into its translation, each exactly as often as the source has it.

Symbols that the network wrote name their items. An item whose symbol is missing goes where attention says, and what
looks like an item that the source has not is removed. The result is read by the scanner that found the items; where it
reads other items than those of the source, white space is added, and in the end the source is its own translation.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from service.text.casing import Casing, in_capitals
from service.text.placeholders.alignment import (
    Floats,
    SourceColumns,
    TargetToken,
    mended,
    needs_mending,
    normalised,
    target_tokens,
)
from service.text.placeholders.contents import ItemTokens, insert_missing, match_symbols, with_items, without_inventions
from service.text.placeholders.items import Item, ItemKind, localize, scan
from service.text.placeholders.markup_placing import Element, place_markups
from service.text.placeholders.masking import Markup, Masked, compose

_QUOTES = {"'": "'’‘", '"': '"“”„«»'}
_FALLBACK_REPAIRS = 100  # more than another translation needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Way in which a translation is written."""

    language: str
    alphabet: frozenset[str]  # of the subwords
    casing: Casing = Casing.SENTENCE
    localizes_numbers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A translation with its items."""

    text: str
    num_repairs: int = 0  # symbols that were missing or too many, and other text that was changed
    names: tuple[str, ...] = ()  # of each symbol that the network wrote the item, empty for one too many


def restore(
    masked: Masked, *, sources: Sequence[str], targets: Sequence[str], attention: Floats, style: Style
) -> Restored:
    """The translation whose pieces are ``targets``. ``sources`` are the texts of the pieces that the network read,
    control symbols empty; ``attention`` is (target piece, source piece)."""
    plain = "".join(targets).strip()
    if _is_plain(masked, plain, style):
        return Restored(text=plain)
    columns = SourceColumns(masked.text, sources)
    items = ItemTokens.of(masked, written_items(masked, style), columns, len(sources))
    tokens = target_tokens(targets, normalised(attention, sources))
    chosen = match_symbols(tokens, items)
    symbols = [place for place, token in enumerate(tokens) if token.is_symbol]
    tokens, num_repairs = _completed(tokens, items, chosen, masked, style)
    tokens = mended(tokens, masked.text, sources, language=style.language, alphabet=style.alphabet)
    tokens, markups = _with_shown(tokens, masked.markups)
    elements = place_markups(tokens, markups, masked, columns)
    contents = [(content.item.kind, token.text) for content, token in zip(masked.contents, items.tokens, strict=True)]
    expected = Counter([*contents, *((markup.item.kind, markup.item.text) for markup in masked.markups)])
    text = joined(elements, expected=expected, alphabet=style.alphabet)
    num_repairs += len(symbols) - len(chosen)
    if text is None:
        text = joined(_apart(elements), expected=expected, alphabet=style.alphabet)
        num_repairs += _FALLBACK_REPAIRS
    return Restored(
        text=masked.source if text is None else text,
        num_repairs=num_repairs,
        names=tuple(items.tokens[chosen[place]].text if place in chosen else "" for place in symbols),
    )


def join_parts(source: str, pieces: Sequence[str], style: Style) -> str:
    """The translation of a sentence from the ``pieces`` that it was translated in and what stands between them, with
    exactly the items of the sentence: spaces keep apart what would be read as others, and where nothing does, the
    sentence is its own translation."""
    composed = compose(source)
    items = scan(composed, style.alphabet)
    expected = Counter((item.kind, _written(item, style)) for item in items)
    elements = [Element(compose(piece), is_item=False) for piece in pieces if piece]
    text = joined(elements, expected=expected, alphabet=style.alphabet)
    return composed if text is None else text


def _completed(
    tokens: Sequence[TargetToken], items: ItemTokens, chosen: Mapping[int, int], masked: Masked, style: Style
) -> tuple[list[TargetToken], int]:
    """The tokens with named symbols, missing items and no invented ones; and how many were put in or removed."""
    tokens = _cased(with_items(tokens, items, chosen), style)
    missing = sorted(set(range(len(items.tokens))).difference(chosen.values()))
    tokens, missing, num_changes = without_inventions(
        tokens, items, missing, source=masked.text, alphabet=style.alphabet
    )
    return insert_missing(tokens, items, missing, masked.text), num_changes + len(missing)


def written_items(masked: Masked, style: Style) -> list[str]:
    """Return how the translation writes each number and name of its source."""
    return [_written(content.item, style) for content in masked.contents]


def _written(item: Item, style: Style) -> str:
    return localize(item, style.language) if style.localizes_numbers else item.text


def _is_plain(masked: Masked, translation: str, style: Style) -> bool:
    """Whether nothing is to be put back, removed, or written otherwise."""
    if masked.contents or masked.markups or style.casing is not Casing.SENTENCE or scan(translation, style.alphabet):
        return False
    return not needs_mending(masked.text, translation, style.language)


def _cased(tokens: Sequence[TargetToken], style: Style) -> list[TargetToken]:
    """The tokens in the source's casing; items and the endings of numbers, as in 1er, stay as they are."""
    tokens = list(tokens)
    first = next((place for place, token in enumerate(tokens) if token.is_item or token.text[0].isalnum()), None)
    if style.casing is Casing.TITLE and first is not None and not tokens[first].is_item:
        text = tokens[first].text
        tokens[first] = replace(tokens[first], text=in_capitals(text[:1], style.alphabet) + text[1:])
    if style.casing is not Casing.CAPITALS:
        return tokens
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else None
        is_ending = before is not None and before.is_item and not token.is_spaced and before.text[-1].isdigit()
        if not token.is_item and not is_ending:
            tokens[place] = replace(token, text=in_capitals(token.text, style.alphabet))
    return tokens


def _with_shown(tokens: Sequence[TargetToken], markups: Sequence[Markup]) -> tuple[list[TargetToken], list[Markup]]:
    """The tokens with entities for the quotation marks that the network saw, and the markups still to be placed."""
    tokens, remaining = list(tokens), []
    for markup in markups:
        marks = _QUOTES.get(markup.shown, "")
        place = next((i for i, token in enumerate(tokens) if marks and not token.is_item and token.text in marks), None)
        if place is None:
            remaining.append(markup)
        else:
            tokens[place] = replace(tokens[place], text=markup.item.text, is_item=True)
    return tokens, remaining


def _apart(elements: Sequence[Element]) -> list[Element]:
    """The words alone, and behind them the items."""
    words = [each for each in elements if not each.is_item and each.text.isalpha()]
    items = [Element(each.text, is_item=True, is_spaced=True) for each in elements if each.is_item]
    return [*words, *items]


_WIDEST = 3  # spaces; no item has as many inside


def joined(
    elements: Sequence[Element], *, expected: Counter[tuple[ItemKind, str]], alphabet: frozenset[str]
) -> str | None:
    """The text of the elements, if the items that are found in it are the expected ones, by kind and text; else None.
    Where they would be read as others, spaces are added around them."""
    gaps = _gaps(elements)
    for width in range(1, _WIDEST + 2):
        text = "".join(chain.from_iterable(zip(gaps, (each.text for each in elements), strict=True)))
        found = scan(text, alphabet)
        if Counter((item.kind, item.text) for item in found) == expected:
            return text
        gaps = _widened(elements, gaps, [(item.start, item.end) for item in found], width)
    return None


def _gaps(elements: Sequence[Element]) -> list[str]:
    """The white space before each element. Between words it is the translation's; around markup it is the source's,
    where that says what it was, and else the translation's once."""
    gaps: list[str] = []
    run: list[str | None] = []
    for before, element in zip([None, *elements], elements, strict=False):
        run.append("" if before is None else _between(before, element))
        if not element.is_markup:
            gaps += _decided(run, is_spaced=element.is_spaced and before is not None)
            run = []
    return gaps + _decided(run, is_spaced=False)


def _between(left: Element, right: Element) -> str | None:
    sides = [side for side in (left.after, right.before) if side is not None]
    return max(sides, key=len) if sides else None


def _decided(run: Sequence[str | None], *, is_spaced: bool) -> list[str]:
    """The gaps between two words and the markup between them."""
    gaps = [gap or "" for gap in run]
    if is_spaced and not any(gaps) and None in run:
        gaps[run.index(None)] = " "
    return gaps


def _widened(
    elements: Sequence[Element], gaps: Sequence[str], found: Iterable[tuple[int, int]], width: int
) -> list[str]:
    """The gaps with at least ``width`` spaces inside of every stretch that is wrongly found to be an item; if there is
    no such gap, at every item that is not found where it stands."""
    starts, ends, place = list[int](), list[int](), 0
    for gap, element in zip(gaps, elements, strict=True):
        starts.append(place + len(gap))
        place = starts[-1] + len(element.text)
        ends.append(place)
    items = {(start, end) for start, end, each in zip(starts, ends, elements, strict=True) if each.is_item}
    wrong = items.symmetric_difference(found)
    inside = {border for start, end in wrong for border in range(bisect_right(starts, start), bisect_left(starts, end))}
    touching = {
        border for start, end in wrong for border in range(bisect_left(ends, start) + 1, bisect_right(starts, end))
    }
    borders = inside or touching
    return [" " * width if border in borders and len(gap) < width else gap for border, gap in enumerate(gaps)]

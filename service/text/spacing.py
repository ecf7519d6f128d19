"""White space between the words, items and markup of a translation, so that each item can be read as what it is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from service.text.markup_placing import Element
from service.text.protected import Kind, scan

_WIDEST = 3  # spaces; no item has as many inside


def joined(elements: Sequence[Element], *, expected: Counter[tuple[Kind, str]], alphabet: frozenset[str]) -> str | None:
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

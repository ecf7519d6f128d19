"""Markup placing: puts a source's markup into its translation, pairs around the words that theirs were translated to.

A tag that opens and one that closes, or two Markdown marks alike, are a pair. Pairs stay nested as they were.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.text.pairs import Role, partners
from service.text.placeholders.alignment import SourceColumns, TargetToken, best_window
from service.text.placeholders.masking import Markup, Masked, is_inline

_TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*|[0-9]+)[^>]*?(/?)>", re.DOTALL)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_MARK = re.compile(r"\*+|_+|~~|`+")
_CLOSING = frozenset(".,;:!?…")
_ROOT = -1
# A word belongs into a pair if at least about half of its attention lies there.
_THRESHOLD = 0.45


@dataclass(frozen=True, slots=True)
class Element:
    """A stretch of the translation as it is put together. White space is None where the translation decides."""

    text: str
    is_item: bool
    before: str | None = None
    after: str | None = None
    is_spaced: bool = False  # the translation has white space before it
    is_markup: bool = False


@dataclass(frozen=True, slots=True)
class _Node:
    """A pair, or markup that stands alone, and its place among the tokens of the translation; half-open."""

    number: int
    closer: int | None
    start: int
    end: int


def place_markups(
    tokens: Sequence[TargetToken], markups: Sequence[Markup], masked: Masked, columns: SourceColumns
) -> list[Element]:
    """The tokens of a translation and the ``markups`` of ``masked`` that are to be placed, in their final order."""
    if not markups:
        return [_element(token) for token in tokens]
    partner_of = partners(_role(markup.item.text) for markup in markups)
    placing = _Placing(tokens, markups, masked, columns)
    children: dict[int, list[_Node]] = defaultdict(list)
    parents = [_Node(_ROOT, None, 0, len(tokens))]
    for number, partner in enumerate(partner_of):
        while parents[-1].closer is not None and parents[-1].closer < number:
            parents.pop()
        if partner is not None and partner < number:
            continue
        parent = parents[-1]
        node = placing.node(number, partner, parent)
        children[parent.number].append(node)
        if partner is not None:
            parents.append(node)
    return list(_in_order(tokens, markups, children))


def _role(text: str) -> Role:
    """Return the names of the pair that markup may open, and of that which it may close."""
    if tag := _TAG.fullmatch(text):
        name = f"<{tag[2].lower()}>"
        stands_alone = bool(tag[3]) or tag[2].lower() in _VOID
        return (None if tag[1] or stands_alone else name, name if tag[1] else None)
    if text in ("[", "!["):
        return "[", None
    if text.startswith("]("):
        return None, "["
    return (text, text) if _MARK.fullmatch(text) else (None, None)


class _Placing:
    """Finds the places of markups, one after another; no pair crosses another."""

    def __init__(
        self, tokens: Sequence[TargetToken], markups: Sequence[Markup], masked: Masked, columns: SourceColumns
    ) -> None:
        self._tokens, self._markups, self._text = tokens, markups, masked.text
        self._columns, self._visible_before = columns.of(markup.place for markup in markups), columns.visible_before
        self._weights = (
            np.stack([token.weights for token in tokens]) if tokens else np.zeros((0, 1), np.float32)
        )  # (token, source piece)
        self._owners = np.full(len(tokens), _ROOT)  # (token,), the innermost pair around it
        self._first = len(masked.text) - len(masked.text.lstrip())
        self._last = len(masked.text.rstrip())

    def node(self, number: int, partner: int | None, parent: _Node) -> _Node:
        """The place of a markup, or of it and its partner; that of a pair is taken from then on."""
        if partner is None or not self._text[self._markups[number].place : self._markups[partner].place].strip():
            place = self._gap(number, parent)
            return _Node(number, partner, place, place)
        start, end = self._window(number, partner, parent)
        self._owners[start:end] = number
        return _Node(number, partner, start, end)

    def _gap(self, number: int, parent: _Node) -> int:
        """The place of markup without a partner: of what opens before, and of what closes behind all words of its side
        of the text; of other markup before the token that comes from the next source word, or after that from the word
        which it touches."""
        markup, column = self._markups[number], self._columns[number]
        if markup.place <= self._first or parent.start == parent.end:
            return parent.start
        if markup.place >= self._last:
            return parent.end
        opens, closes = _role(markup.item.text)
        weights = self._weights[parent.start : parent.end]
        if opens and not closes:
            return parent.start + _fixed_window(weights[:, column:].sum(axis=1) - _THRESHOLD, is_last=True)[0]
        if closes and not opens:
            return parent.start + _fixed_window(weights[:, :column].sum(axis=1) - _THRESHOLD, is_first=True)[1]
        clings = not markup.space_before and bool(markup.space_after)
        if clings:
            column = self._visible_before(column)
        return parent.start + int(weights[:, column].argmax()) + clings

    def _window(self, number: int, partner: int, parent: _Node) -> tuple[int, int]:
        """The tokens that come from what stands between two markups; the sentence's ends stay its ends. There is no
        punctuation at an edge where the source has none."""
        is_first = self._markups[number].place <= self._first
        is_last = self._markups[partner].place >= self._last
        first = self._columns[number]
        last = None if is_last else max(self._columns[partner], first + 1)
        inside = self._weights[parent.start : parent.end, first:last].sum(axis=1)
        is_free = self._owners[parent.start : parent.end] == parent.number
        gains = np.where(is_free, inside - _THRESHOLD, -np.inf)
        start, end = _fixed_window(gains, is_first=is_first, is_last=is_last)
        start, end = parent.start + start, parent.start + end
        text = self._text[self._markups[number].place : self._markups[partner].place].strip()
        while end - start > 1 and not is_first and text[0].isalnum() and self._tokens[start].text in _CLOSING:
            start += 1
        while end - start > 1 and not is_last and text[-1].isalnum() and self._tokens[end - 1].text in _CLOSING:
            end -= 1
        return start, end


def _fixed_window(gains: npt.NDArray[np.float64], *, is_first: bool = False, is_last: bool = False) -> tuple[int, int]:
    """The best window that begins with the first place, ends with the last, or both, where that is asked for."""
    if is_first and is_last and np.isfinite(gains).all():
        return 0, len(gains)
    if is_first and len(gains) and np.isfinite(gains[0]):
        return 0, 1 + int(gains.cumsum().argmax())
    if is_last and len(gains) and np.isfinite(gains[-1]):
        return len(gains) - 1 - int(gains[::-1].cumsum().argmax()), len(gains)
    return best_window(gains.tolist())


def _in_order(
    tokens: Sequence[TargetToken], markups: Sequence[Markup], children: dict[int, list[_Node]]
) -> Iterator[Element]:
    """What the tree of markups reads as from left to right."""
    waiting = [(_Node(_ROOT, None, 0, len(tokens)), iter(_sorted(children[_ROOT])))]
    place = 0
    while waiting:
        parent, remaining = waiting[-1]
        node = next(remaining, None)
        end = parent.end if node is None else node.start
        yield from map(_element, tokens[place:end])
        place = max(place, end)
        if node is not None:
            yield _placed(markups[node.number], opens=node.closer is not None)
            if node.closer is not None:
                waiting.append((node, iter(_sorted(children[node.number]))))
            continue
        waiting.pop()
        if parent.closer is not None:
            yield _placed(markups[parent.closer], closes=True)


def _sorted(nodes: Sequence[_Node]) -> list[_Node]:
    return sorted(nodes, key=lambda node: (node.start, node.number))


def _element(token: TargetToken) -> Element:
    return Element(token.text, token.is_item, is_spaced=token.is_spaced)


def _placed(markup: Markup, *, opens: bool = False, closes: bool = False) -> Element:
    """Markup with its white space in the source. Where inline markup touched a word, the translation decides."""
    is_loose = is_inline(markup.item.text)
    stands_alone = not opens and not closes
    return Element(
        markup.item.text,
        is_item=True,
        is_markup=True,
        before=None if opens and is_loose else markup.space_before,
        after=None if is_loose and (closes or (stands_alone and not markup.space_after)) else markup.space_after,
    )

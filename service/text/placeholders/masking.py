"""Hiding the protected items of a sentence from the network: numbers and names behind symbols, markup taken out.

A number or a name stands where a word stands, so the network sees a symbol in its place and writes it where the word
belongs (Luong et al. 2015, "Addressing the rare word problem"). Markup stands between words: the network sees the
text without it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from service.text.placeholders.items import APOSTROPHE, Item, scan

# Private-use characters that stand for items, each one piece of the subword model: a symbol names the class and, modulo
# 16, the item's number in the sentence.
SYMBOLS_PER_CLASS = 16
NUMBER_SYMBOLS = tuple(map(chr, range(0xE000, 0xE000 + SYMBOLS_PER_CLASS)))
NAME_SYMBOLS = tuple(map(chr, range(0xE010, 0xE010 + SYMBOLS_PER_CLASS)))
SYMBOLS = NUMBER_SYMBOLS + NAME_SYMBOLS

# Markup inside of a word; all other markup that touches words on both sides separates them.
_INLINE = re.compile(
    r"(?i)</?(?:a|abbr|b|big|bdi|bdo|cite|em|font|i|ins|del|mark|q|s|small|span|strong|sub|sup|tt|u|wbr)\b|[*_~`\[\]!]"
)
_APOSTROPHE = re.compile(APOSTROPHE, re.VERBOSE)
# Entities that the network sees as the mark that they stand for: without it, words would be others.
_VISIBLE = {
    **dict.fromkeys(("&#39;", "&#039;", "&#x27;", "&apos;", "&lsquo;", "&rsquo;", "&#8217;", "&#x2019;"), "'"),
    **dict.fromkeys(("&quot;", "&#34;", "&#x22;", "&ldquo;", "&rdquo;"), '"'),
}


@dataclass(frozen=True, slots=True)
class Content:
    """An item that the network sees as a symbol."""

    item: Item
    symbol: str
    place: int  # in the masked text


@dataclass(frozen=True, slots=True)
class Markup:
    """An item that the network does not see."""

    item: Item
    place: int  # in the masked text: the item stood before the character there
    space_before: str  # white space that touched it in the source
    space_after: str
    shown: str = ""  # what the network sees in its place


@dataclass(frozen=True, slots=True)
class Masked:
    """A text for the network, and what is to be put back into its translation."""

    text: str
    source: str  # in composed form
    contents: tuple[Content, ...] = ()
    markups: tuple[Markup, ...] = ()


def compose(text: str) -> str:
    """The text in composed form (NFC) and with apostrophes in its words, in which items are looked for."""
    if "&" in text:
        text = _APOSTROPHE.sub("'", text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def mask(text: str, alphabet: frozenset[str]) -> Masked:
    """The text in composed form, the k-th number and the k-th name each behind symbol k modulo 16 of its class, and
    without its markup. Words with a character outside of ``alphabet`` are names."""
    text = compose(text)
    items = scan(text, alphabet)
    numbers, names = cycle(NUMBER_SYMBOLS), cycle(NAME_SYMBOLS)
    symbols = [next(numbers if item.kind == "number" else names) for item in items if item.kind != "markup"]
    return mask_items(text, items, symbols) if items else Masked(text, text)


def mask_items(text: str, items: Sequence[Item], symbols: Sequence[str]) -> Masked:
    """The text with its items hidden; ``symbols`` are those of the items that are not markup, in order."""
    remaining = iter(symbols)
    parts: list[str] = []
    contents: list[Content] = []
    markups: list[Markup] = []
    length = end = 0
    for item in items:
        kept = text[end : item.start]
        if item.kind == "markup":
            shown = _shown(text, item)
            markups.append(Markup(item, length + len(kept), *_spaces(text, item), shown))
        else:
            shown = next(remaining)
            contents.append(Content(item, shown, length + len(kept)))
        parts += kept, shown
        length += len(kept) + len(shown)
        end = item.end
    parts.append(text[end:])
    return Masked("".join(parts), text, tuple(contents), tuple(markups))


def has_words(text: str) -> bool:
    """Whether there is anything to translate in a masked text: a letter."""
    return any(map(str.isalpha, text))


def _shown(text: str, item: Item) -> str:
    """What the network sees in the place of markup: nothing, unless words would run together that it keeps apart."""
    before, after = text[item.start - 1 : item.start], text[item.end : item.end + 1]
    if item.text in _VISIBLE:
        return _VISIBLE[item.text]
    if not (before and after) or before.isspace() or after.isspace():
        return ""
    is_between_digits = before.isdigit() or after.isdigit()
    return " " if is_between_digits or (item.text[0] in "<&\\" and not is_inline(item.text)) else ""


def is_inline(text: str) -> bool:
    """Whether markup may stand inside of a word."""
    return _INLINE.match(text) is not None


def _spaces(text: str, item: Item) -> tuple[str, str]:
    """White space right before and right after an item."""
    start, end = item.start, item.end
    while start and text[start - 1].isspace():
        start -= 1
    while end < len(text) and text[end].isspace():
        end += 1
    return text[start : item.start], text[item.end : end]

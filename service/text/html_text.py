"""The text of an HTML document or fragment, block by block; every piece knows its place in the source.

Tags are found as the HTML standard's tokenizer finds them, section 13.2.5, broken ones too. The standard library's
``html.parser`` is not used: on unfinished tags it takes time quadratic in their number (CVE-2025-6069), and what it
makes of an unfinished tag at the end differs between releases of Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from service.text.html_elements import RAW, STANDING_ALONE, Elements, is_block, opaque_kind
from service.text.inline import NAME, STAND_IN, Kind, Piece, opaque_piece, reference_piece, text_piece

REFERENCE = r"&(?:\#[0-9]{1,8};?|\#[xX][0-9a-fA-F]{1,7};?|[A-Za-z][A-Za-z0-9]{1,31};?)"
# An apostrophe inside of a word is a letter to a reader.
APOSTROPHE = r"(?<=\w)&(?:\#0*39|\#[xX]0*27|apos|rsquo|\#8217|\#[xX]2019);(?=\w)"
ATTRIBUTES = r"""(?:=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))|[^>])*+"""
_TOKEN = re.compile(
    rf"""
    (?P<comment><!--(?:-?>|(?s:.*?)(?:--!?>|\Z)) | <!\[CDATA\[(?s:.*?)(?:\]\]>|\Z))
  | (?P<declaration><![^>]*+(?:>|\Z))
  | (?P<program><\?(?:php\b|=)(?s:.*?)(?:\?>|\Z) | <%[^<%]*+(?:%(?!>)[^<%]*+)*+%>)
  | (?P<instruction><\?[^>]*+(?:>|\Z) | </(?![A-Za-z])[^>]*+(?:>|\Z))
  | <(?P<slash>/?)(?P<name>[A-Za-z][^\s/>]*+)(?P<attributes>{ATTRIBUTES})(?P<finish>>|\Z)
  | (?P<apostrophe>{APOSTROPHE})
  | (?P<reference>{REFERENCE})
  | (?P<private>{NAME})
  | (?P<text>[^<&{NAME[1:-1]}]++ | [<&])
    """,
    re.VERBOSE,
)
_TAG_BEGINS = re.compile(rf"{STAND_IN.pattern}|<(?=[A-Za-z/!?%])")


class _Token(NamedTuple):
    """A stretch of the source as a browser reads it."""

    kind: str  # the name of its group in _TOKEN; "start" or "end" of tags, "raw" inside of scripts
    start: int
    end: int
    name: str = ""  # of a tag, in lower case
    attributes: str = ""


def html_runs(text: str) -> Iterator[list[Piece]]:
    """The inline content of each block in order. Takes time linear in the length, whatever the text."""
    run: list[Piece] = []
    for piece in _pieces(text):
        if piece.kind is not Kind.BORDER:
            run.append(piece)
        elif run:
            yield run
            run = []
    if run:
        yield run


def write_html(translation: str, originals: Mapping[str, str], _: str) -> str:
    """A translation with what its stand-ins stand for; nothing else in it may be read as a tag."""
    return _TAG_BEGINS.sub(lambda found: originals.get(found[0], found[0].replace("<", "&lt;")), translation)


def _pieces(text: str) -> Iterator[Piece]:
    """Inline content and borders; elements that are not translated are one piece each."""
    elements = Elements()
    sealed: _Token | None = None  # the start tag of the element around, if that is one piece
    kind = Kind.BORDER
    for token in _tokens(text):
        is_blocked = elements.is_blocked
        if token.kind == "start":
            elements.start(token.name, token.attributes)
        elif token.kind == "end":
            elements.end(token.name)
        if sealed is None and elements.is_sealed:
            sealed, kind = token, Kind.BORDER if is_blocked else opaque_kind(token.name)
        elif sealed is not None and not elements.is_sealed:
            is_own = token.name == sealed.name
            yield opaque_piece(kind, sealed.start, text[sealed.start : token.end if is_own else token.start])
            sealed = None
            if is_own:
                continue
        if sealed is None:
            yield Piece(Kind.BORDER, token.start, token.end) if is_blocked else _piece(text, token)
    if sealed is not None:
        yield opaque_piece(kind, sealed.start, text[sealed.start :])


def _piece(text: str, token: _Token) -> Piece:
    """What a token outside of sealed elements is to a translation."""
    source = text[token.start : token.end]
    if token.kind == "text":
        return text_piece(token.start, source)
    if token.kind == "reference":
        return reference_piece(token.start, source)
    if token.kind == "apostrophe":
        return Piece(Kind.TEXT, token.start, token.end, "'", "'")
    return opaque_piece(_markup_kind(token), token.start, source, token.name)


def _markup_kind(token: _Token) -> Kind:
    if token.kind == "declaration" or (token.name and is_block(token.name)):
        return Kind.BORDER
    if token.kind in ("program", "private"):
        return Kind.NAME
    if not token.name or token.name in STANDING_ALONE or token.attributes.endswith("/"):
        return Kind.MARK
    return Kind.OPEN if token.kind == "start" else Kind.CLOSE


def _tokens(text: str) -> Iterator[_Token]:
    """The whole text, from left to right without a gap."""
    place = 0
    while match := _TOKEN.match(text, place):
        start, place = match.span()
        if match["name"] is None:
            yield _Token(match.lastgroup or "", start, place)
            continue
        name = match["name"].lower()
        yield _Token("end" if match["slash"] else "start", start, place, name, match["attributes"])
        if name in RAW and not match["slash"]:
            found = _end_of_raw(name).search(text, place)
            end = found.start() if found else len(text)
            if end > place:
                yield _Token("raw", place, end)
            place = end


@cache
def _end_of_raw(name: str) -> re.Pattern[str]:
    """Where the end tag of an element begins whose content is not markup."""
    return re.compile(rf"(?i:</{name})(?=[\s/>])")

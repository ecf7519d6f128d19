"""The text of an HTML document or fragment, block by block; every piece knows its place in the source.

Tags are found as the HTML standard's tokenizer finds them, section 13.2.5, broken ones too. The standard library's
``html.parser`` is not used: on unfinished tags it takes time quadratic in their number (CVE-2025-6069), and what it
makes of an unfinished tag at the end differs between releases of Python.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from service.text.markup.inline import NAME, STAND_IN, Kind, Piece, opaque_piece, reference_piece, runs_of, text_piece

# Their content is not markup.
RAW = frozenset("iframe noembed noframes plaintext script style textarea xmp".split())
STANDING_ALONE = frozenset(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr".split()
)
_STANDING_BETWEEN = frozenset("script style svg".split())  # between words, that is; other opaque ones stand for words
_OPAQUE = frozenset("code kbd listing math pre samp svg".split()) | RAW
_BLOCKS = frozenset(
    """address article aside audio base blockquote body br button canvas caption center col colgroup datalist dd details
    dialog dir div dl dt fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr
    html iframe label legend li link listing main map menu meta nav noembed noframes noscript object ol optgroup option
    p param plaintext pre search section select source summary table tbody td template textarea tfoot th thead title tr
    track ul video xmp""".split()
)
_CELLS = frozenset(("td", "th", "p"))
_ROWS = _CELLS | {"tr"}
_SECTIONS = _ROWS | {"thead", "tbody", "tfoot"}
# The innermost block that a start tag ends, if it is one of these; other blocks end a paragraph.
_ENDED = {
    **dict.fromkeys(("td", "th"), _CELLS),
    **dict.fromkeys(("dd", "dt"), frozenset(("dd", "dt", "p"))),
    **dict.fromkeys(("thead", "tbody", "tfoot"), _SECTIONS),
    "tr": _ROWS,
    "li": frozenset(("li", "p")),
    "option": frozenset(("option",)),
    "optgroup": frozenset(("option", "optgroup")),
}
_PARAGRAPH = frozenset(("p",))
_TRANSLATE = re.compile(r"""(?i)(?:^|[\s"'/])translate\s*+=\s*+["']?(yes|no)(?![\w-])""")
_CLASSES = re.compile(r"""(?i)(?:^|[\s"'/])class\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]++)""")


class _State(Enum):
    """What happens to the text inside of an element."""

    TRANSLATED = auto()
    BLOCKED = auto()  # it stays; elements inside may be translated again
    SEALED = auto()  # all of the element stays as one piece


@dataclass(slots=True)
class Elements:
    """The elements that are open, outermost first. Each tag takes constant time on average, however deep they are."""

    _opened: list[tuple[str, _State]] = field(default_factory=list)
    _blocks: list[int] = field(default_factory=list)  # which of the opened are blocks
    _num_blocks: Counter[str] = field(default_factory=Counter)
    _inline: list[Counter[str]] = field(default_factory=lambda: [Counter()])  # within each block, not in inner ones

    @property
    def state(self) -> _State:
        return self._opened[-1][1] if self._opened else _State.TRANSLATED

    def start(self, name: str, attributes: str) -> None:
        """Read a start tag; those of elements that cannot have content open nothing."""
        if is_block(name):
            ended = _ENDED.get(name, _PARAGRAPH)
            while self._blocks and self._opened[self._blocks[-1]][0] in ended:
                self._close_to(self._blocks[-1])
        if name in STANDING_ALONE or (attributes.endswith("/") and name not in RAW):
            return
        self._opened.append((name, self._state_of(name, attributes)))
        if is_block(name):
            self._blocks.append(len(self._opened) - 1)
            self._num_blocks[name] += 1
            self._inline.append(Counter())
        else:
            self._inline[-1][name] += 1

    def end(self, name: str) -> None:
        """Read an end tag. It closes the innermost element of its name with all inside; an inline one no block."""
        if (self._num_blocks if is_block(name) else self._inline[-1])[name]:
            while self._close_to(len(self._opened) - 1) != name:
                pass

    def _state_of(self, name: str, attributes: str) -> _State:
        if self.state is _State.SEALED:
            return _State.SEALED
        if is_opaque(name, attributes):
            return _State.BLOCKED if is_block(name) and name not in _OPAQUE else _State.SEALED
        return self.state if _translates(attributes) is None else _State.TRANSLATED

    def _close_to(self, size: int) -> str:
        """Close the innermost elements until so many are open; the name of the last one that was closed."""
        name = ""
        while len(self._opened) > size:
            name, _ = self._opened.pop()
            if is_block(name):
                self._blocks.pop()
                self._num_blocks[name] -= 1
                self._inline.pop()
            else:
                self._inline[-1][name] -= 1
        return name


def is_block(name: str) -> bool:
    """Whether no sentence goes on over the start or end of an element."""
    return name in _BLOCKS


def opaque_kind(name: str) -> Kind:
    """Return the kind of item that an element which is kept as it is stands for."""
    if is_block(name):
        return Kind.BORDER
    return Kind.MARK if name in _STANDING_BETWEEN else Kind.NAME


def tag_kind(name: str, attributes: str, *, is_end: bool) -> Kind:
    """Return what a tag in translated text is."""
    if is_block(name):
        return Kind.BORDER
    if name in STANDING_ALONE or attributes.endswith("/"):
        return Kind.MARK
    return Kind.CLOSE if is_end else Kind.OPEN


def is_opaque(name: str, attributes: str) -> bool:
    """Whether an element in translated text stays as it is, with all inside."""
    translates = _translates(attributes)
    return name in RAW or (name in _OPAQUE if translates is None else not translates)


def _translates(attributes: str) -> bool | None:
    """What an element's attributes say of its translation; None if they say nothing."""
    if found := _TRANSLATE.search(attributes):
        return found[1].lower() == "yes"
    classes = _CLASSES.search(attributes)
    return False if classes and "notranslate" in classes[1].strip("\"'").split() else None


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
    return runs_of(_pieces(text))


def write_html(translation: str, originals: Mapping[str, str], _: str) -> str:
    """A translation with what its stand-ins stand for; nothing else in it may be read as a tag."""
    return _TAG_BEGINS.sub(lambda found: originals.get(found[0], found[0].replace("<", "&lt;")), translation)


def _pieces(text: str) -> Iterator[Piece]:
    """Inline content and borders; elements that are not translated are one piece each."""
    elements = Elements()
    sealed: _Token | None = None  # the start tag of the element around, if that is one piece
    kind = Kind.BORDER
    for token in _tokens(text):
        is_blocked = elements.state is _State.BLOCKED
        if token.kind == "start":
            elements.start(token.name, token.attributes)
        elif token.kind == "end":
            elements.end(token.name)
        is_sealed = elements.state is _State.SEALED
        if sealed is None and is_sealed:
            sealed, kind = token, Kind.BORDER if is_blocked else opaque_kind(token.name)
        elif sealed is not None and not is_sealed:
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
    """Return the piece that a token outside of sealed elements is to a translation."""
    source = text[token.start : token.end]
    if token.kind == "text":
        return text_piece(token.start, source)
    if token.kind == "reference":
        return reference_piece(token.start, source)
    if token.kind == "apostrophe":
        return Piece(Kind.TEXT, token.start, token.end, "'", "'")
    kind = {"declaration": Kind.BORDER, "program": Kind.NAME, "private": Kind.NAME}.get(token.kind, Kind.MARK)
    if token.name:
        kind = tag_kind(token.name, token.attributes, is_end=token.kind == "end")
    return opaque_piece(kind, token.start, source, token.name)


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
            # Where the end tag of an element begins whose content is not markup.
            found = re.compile(rf"(?i:</{name})(?=[\s/>])").search(text, place)
            end = found.start() if found else len(text)
            if end > place:
                yield _Token("raw", place, end)
            place = end

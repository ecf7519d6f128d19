"""The inline content of a Markdown block: links, images, code, HTML, escapes and emphasis, as CommonMark reads them.

Takes time linear in the length, whatever the content.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from service.text.markup.emphasis import LINK, RUN, with_emphasis
from service.text.markup.html import APOSTROPHE, is_opaque, opaque_kind, tag_kind
from service.text.markup.inline import NAME, Kind, Piece, opaque_piece, reference_piece, text_piece

_LONGEST_LABEL = 999
_TOKEN = re.compile(
    rf"""
    (?P<border>(?:\ {{2,}}|\\)\n[ \t]*)
  | (?P<space>[ \t]*+\n[ \t]*+)
  | (?P<plain>\\[!"\#%'()+,\-./:;=?])
  | (?P<mark>\\[$&*<>@\[\\\]^_`{{|}}~] | \[\^[^\[\]\s]{{1,99}}\]:? | \[![A-Z]{{1,20}}\] | \A\[[ xX]\](?=\s))
  | (?P<code>`++)
  | (?P<name><[A-Za-z][A-Za-z0-9+.-]{{1,31}}:[^\s<>]*+> | <[\w.+-]{{1,64}}@[\w.-]{{1,255}}> | {NAME})
  | (?P<comment><!--|<\?)
  | <(?P<slash>/?)(?P<tag>[A-Za-z][\w:.-]*+)(?P<attributes>(?:[^<>"']|"[^"]*+"|'[^']*+')*+)>
  | (?P<apostrophe>{APOSTROPHE})
  | (?P<reference>&(?:\#[0-9]{{1,7}}|\#[xX][0-9a-fA-F]{{1,6}}|[A-Za-z][A-Za-z0-9]{{1,31}});)
  | (?P<open>!?\[)
  | (?P<close>\])
  | (?P<run>\*++|_++|~++)
  | (?P<word>[^\W_]++(?:\\_[^\W_]++)++)
  | (?P<text>(?:[^\W_]++(?!\\_)|[ \t]++(?!\n)|!(?!\[)|[^\w\s\\`<&\[\]*~!{NAME[1:-1]}]|[^\S \t\n])++ | (?s:.))
    """,
    re.VERBOSE,
)
_ADDRESS = re.compile(
    r"""\(\s*+(?:<[^<>\n]*+>|(?:[^\s()<\\]|\\.|\([^\s()]{0,500}\))*+)(?:\s++(?:"[^"]*+"|'[^']*+'|\([^()]*+\)))?\s*+\)"""
)
_LABEL = re.compile(r"\[([^\[\]]{0,999})\]")
_TICKS = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class Content:
    """The lines of a block without their indentation and markers, and where each stands in the source."""

    text: str
    starts: Sequence[int]  # where each line begins in the text
    places: Sequence[int]  # where it begins in the source

    @classmethod
    def of(cls, lines: Sequence[tuple[str, int]]) -> Content:
        """Make the content from lines and their places in the source."""
        starts = [0, *accumulate(len(line) + 1 for line, _ in lines)][:-1]
        return cls("\n".join(line for line, _ in lines), starts, [place for _, place in lines])

    def located(self, piece: Piece) -> Piece:
        """A piece of the text as one of the source."""
        return replace(piece, start=self._place(piece.start), end=self._end(piece.end))

    def _place(self, offset: int) -> int:
        line = bisect_right(self.starts, offset) - 1
        return self.places[line] + offset - self.starts[line]

    def _end(self, offset: int) -> int:
        return self._place(offset) if self.text[offset - 1] == "\n" else self._place(offset - 1) + 1


@dataclass(slots=True)
class _Bracket:
    """A bracket that may begin a link or an image."""

    index: int  # of its piece
    place: int  # behind it
    is_image: bool
    has_inner: bool = False  # brackets inside, which labels cannot have


def inline_pieces(content: Content, is_label: Callable[[str], bool]) -> list[Piece]:
    """The pieces of a block, with their places in the source; ``is_label`` says whether a link's label is defined."""
    return [content.located(piece) for piece in with_emphasis(content.text, _Reader(content.text, is_label).pieces)]


class _Reader:
    """Reader of all inline content but emphasis, whose runs are pieces with the name RUN."""

    def __init__(self, text: str, is_label: Callable[[str], bool]) -> None:
        self.pieces: list[Piece] = []
        self._text = text
        self._is_label = is_label
        self._brackets: list[_Bracket] = []
        self._ticks: dict[int, list[int]] = {}  # where runs of backticks of each length begin
        self._missing: set[str] = set()  # ends that were looked for and are in no later place
        for found in _TICKS.finditer(text):
            self._ticks.setdefault(len(found[0]), []).append(found.start())
        self._read()

    def _read(self) -> None:
        place = 0
        while found := _TOKEN.match(self._text, place):
            place = self._add(found)

    def _add(self, found: re.Match[str]) -> int:
        """Read a token; where the next one begins."""
        kind, source, start = found.lastgroup or "", found[0], found.start()
        if kind == "attributes":
            return self._add_tag(found)
        if kind == "code":
            return self._add_code(start, len(source))
        if kind == "comment":
            return self._add_until("-->" if source == "<!--" else "?>", Kind.MARK, found)
        if kind == "close":
            return self._close(start)
        if kind == "open":
            self._brackets.append(_Bracket(len(self.pieces), found.end(), source == "!["))
        self.pieces.append(_piece(kind, start, source))
        return found.end()

    def _add_tag(self, found: re.Match[str]) -> int:
        name = found["tag"].lower()
        if not found["slash"] and is_opaque(name, found["attributes"]):
            return self._add_until(f"</{found['tag']}>", opaque_kind(name), found)
        kind = tag_kind(name, found["attributes"], is_end=bool(found["slash"]))
        self.pieces.append(_opaque(kind, found.start(), found[0], name))
        return found.end()

    def _add_code(self, start: int, length: int) -> int:
        """Read a code span, or backticks that begin none."""
        begins = self._ticks[length]
        following = bisect_right(begins, start)
        is_code = following < len(begins)
        end = begins[following] + length if is_code else start + length
        source = self._text[start:end]
        self.pieces.append(_opaque(Kind.NAME, start, source) if is_code else text_piece(start, source))
        return end

    def _add_until(self, last: str, kind: Kind, found: re.Match[str]) -> int:
        """Read what ends with ``last``; one that has no end is a mark by itself."""
        end = -1 if last in self._missing else self._text.find(last, found.end())
        if end < 0:
            self._missing.add(last)
            kind, end = Kind.MARK, found.end()
        else:
            end += len(last)
        self.pieces.append(_opaque(kind, found.start(), self._text[found.start() : end]))
        return end

    def _close(self, place: int) -> int:
        """Read a closing bracket, which ends a link, an image or neither."""
        end, literal = place + 1, ""
        if self._brackets:
            bracket = self._brackets.pop()
            end, literal = self._target(bracket, place)
            if self._brackets:
                self._brackets[-1].has_inner = True
            if literal:
                self._link(bracket, place, end, literal)
                return end
        self.pieces.append(text_piece(place, "]"))
        return place + 1

    def _target(self, bracket: _Bracket, place: int) -> tuple[int, str]:
        """Where a link or image ends whose text ends at ``place``, and how its end is written; empty if it is none.

        A link whose text is its label keeps the label when the text is translated.
        """
        if found := _ADDRESS.match(self._text, place + 1):
            return found.end(), self._text[place : found.end()]
        own = "" if bracket.has_inner else self._text[bracket.place : place][: _LONGEST_LABEL + 1]
        found = _LABEL.match(self._text, place + 1)
        if found and found[1].strip() and self._is_label(found[1]):
            return found.end(), self._text[place : found.end()]
        if not own.strip() or len(own) > _LONGEST_LABEL or not self._is_label(own):
            return place + 1, ""
        return found.end() if found and not found[1] else place + 1, f"][{own}]"

    def _link(self, bracket: _Bracket, place: int, end: int, literal: str) -> None:
        """Make a link or an image of what was read since its bracket. A link around another one is none to CommonMark,
        but stays around it all the same."""
        start = self.pieces[bracket.index].start
        if bracket.is_image:
            del self.pieces[bracket.index :]
            self.pieces.append(_opaque(Kind.MARK, start, self._text[start:end]))
            return
        name = f"{LINK}{start}"
        self.pieces[bracket.index] = Piece(Kind.OPEN, start, start + 1, literal="[", name=name)
        self.pieces.append(Piece(Kind.CLOSE, place, end, literal=literal.replace("\n", " "), name=name))


def _piece(kind: str, start: int, source: str) -> Piece:
    """A token that needs no neighbour to be understood."""
    if kind == "reference":
        return reference_piece(start, source)
    if kind in ("space", "plain", "apostrophe"):
        shown = {"space": " ", "plain": source[-1], "apostrophe": "'"}[kind]
        return Piece(Kind.TEXT, start, start + len(source), shown, shown)
    if kind == "run":
        return replace(text_piece(start, source), name=RUN)
    opaque = {"border": Kind.BORDER, "mark": Kind.MARK, "name": Kind.NAME, "word": Kind.NAME}.get(kind)
    return text_piece(start, source) if opaque is None else _opaque(opaque, start, source)


def _opaque(kind: Kind, start: int, source: str, name: str = "") -> Piece:
    """What stays as it is, on one line."""
    return replace(opaque_piece(kind, start, source, name), literal=source.replace("\n", " "))

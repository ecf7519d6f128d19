"""Inline content of a Markdown block: links, images, code, HTML, escapes and emphasis, as CommonMark reads them.

The rules of emphasis are those of CommonMark, section 6.2, and of GitHub's strikethrough; of the runs before one that
ends emphasis only the last few are looked at. Takes time linear in the length, whatever the content.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from service.text.markup.html import APOSTROPHE, is_opaque, opaque_kind, tag_kind
from service.text.markup.inline import NAME, Kind, Piece, opaque_piece, reference_piece, text_piece

RUN = "run"  # the name of pieces that are runs
LINK = "link "  # how names of links' tags begin; emphasis does not cross them
_FARTHEST = 32


@dataclass(slots=True, eq=False)
class _DelimiterRun:
    """Marks in a row; those that are not yet part of emphasis stand from ``start`` to ``end``."""

    character: str
    start: int
    end: int
    can_open: bool
    can_close: bool
    length: int  # of all of it
    closed: list[Piece] = field(default_factory=list)  # in order
    opened: list[Piece] = field(default_factory=list)  # the last one first

    @property
    def size(self) -> int:
        return self.end - self.start

    def may_open_for(self, closer: _DelimiterRun) -> bool:
        """Whether this run may begin emphasis that the other one ends: CommonMark's rules 9 and 10."""
        if self.character != closer.character:
            return False
        if self.character == "~":
            return self.length == closer.length == 2
        is_both = self.can_close or closer.can_open
        return not is_both or (self.length + closer.length) % 3 != 0 or self.length % 3 == closer.length % 3 == 0


def with_emphasis(text: str, pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces of a block with marks of emphasis in place of the runs that are some."""
    runs = {place: _run_of(text, piece) for place, piece in enumerate(pieces) if piece.name == RUN}
    levels: list[list[_DelimiterRun]] = [[]]  # the runs that could begin emphasis, by the links around them
    for place, piece in enumerate(pieces):
        if place in runs:
            _match(runs[place], levels[-1])
        elif piece.name.startswith(LINK):
            if piece.kind is Kind.OPEN:
                levels.append([])
            else:
                levels.pop()
    return list(_replaced(text, pieces, runs))


def _replaced(text: str, pieces: Iterable[Piece], runs: dict[int, _DelimiterRun]) -> Iterator[Piece]:
    for place, piece in enumerate(pieces):
        if place not in runs:
            yield piece
            continue
        run = runs[place]
        yield from run.closed
        if run.size:
            rest = text[run.start : run.end]
            is_alone = _is_space(text, run.start - 1) and _is_space(text, run.end)
            yield opaque_piece(Kind.NAME, run.start, rest) if is_alone else text_piece(run.start, rest)
        yield from reversed(run.opened)


def _run_of(text: str, piece: Piece) -> _DelimiterRun:
    """A run with what it may do by the characters around it."""
    start, end = piece.start, piece.end
    space_before, space_after = _is_space(text, start - 1), _is_space(text, end)
    sign_before, sign_after = is_sign(text[start - 1 : start]), is_sign(text[end : end + 1])
    is_left = not space_after and (not sign_after or space_before or sign_before)
    is_right = not space_before and (not sign_before or space_after or sign_after)
    is_strict = text[start] == "_"  # not inside of words
    return _DelimiterRun(
        character=text[start],
        start=start,
        end=end,
        can_open=is_left and (not is_strict or not is_right or sign_before),
        can_close=is_right and (not is_strict or not is_left or sign_after),
        length=end - start,
    )


def _is_space(text: str, place: int) -> bool:
    return not 0 <= place < len(text) or text[place].isspace()


def is_sign(character: str) -> bool:
    """Whether a character is punctuation or a symbol; false of none."""
    return bool(character) and unicodedata.category(character)[0] in "PS"


def _match(run: _DelimiterRun, openers: list[_DelimiterRun]) -> None:
    """Let a run end as much emphasis as it can, and begin some later with what is left of it."""
    while run.can_close and run.size:
        found = next((each for each in openers[: -_FARTHEST - 1 : -1] if each.may_open_for(run)), None)
        if found is None:
            break
        while openers[-1] is not found:
            openers.pop()
        _pair(found, run)
        if not found.size:
            openers.pop()
    if run.can_open and run.size:
        openers.append(run)


def _pair(opener: _DelimiterRun, closer: _DelimiterRun) -> None:
    """Make emphasis of the inner marks of two runs, strong if both have two."""
    width = 2 if min(opener.size, closer.size) >= 2 else 1
    name = f"{opener.character}{opener.end}"
    mark = opener.character * width
    opener.opened.append(Piece(Kind.OPEN, opener.end - width, opener.end, literal=mark, name=name))
    closer.closed.append(Piece(Kind.CLOSE, closer.start, closer.start + width, literal=mark, name=name))
    opener.end -= width
    closer.start += width


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


@dataclass(slots=True)
class _Bracket:
    """A bracket that may begin a link or an image."""

    index: int  # of its piece
    place: int  # behind it
    is_image: bool
    has_inner: bool = False  # brackets inside, which labels cannot have


def inline_pieces(text: str, is_label: Callable[[str], bool]) -> list[Piece]:
    """The pieces of a block's text; ``is_label`` says whether a link's label is defined."""
    return with_emphasis(text, _Reader(text, is_label).pieces)


class _Reader:
    """Reader of all inline content but emphasis, whose runs are pieces with the name RUN."""

    def __init__(self, text: str, is_label: Callable[[str], bool]) -> None:
        self.pieces: list[Piece] = []
        self._text = text
        self._is_label = is_label
        self._brackets: list[_Bracket] = []
        self._ticks: dict[int, list[int]] = {}  # where runs of backticks of each length begin
        self._missing: set[str] = set()  # ends that were looked for and are in no later place
        for ticks in _TICKS.finditer(text):
            self._ticks.setdefault(len(ticks[0]), []).append(ticks.start())
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
        """Where a link or image ends whose text ends at ``place``, and how its end is written; empty if it is none. A
        link whose text is its label keeps the label when the text is translated."""
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

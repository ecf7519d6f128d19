"""Emphasis in Markdown: which runs of asterisks, underscores and tildes begin and end it.

The rules are those of CommonMark, section 6.2, and of GitHub's strikethrough; of the runs before one that ends emphasis
only the last few are looked at, so that the time grows linearly with the text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from service.text.markup.inline import Kind, Piece, opaque_piece, text_piece

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

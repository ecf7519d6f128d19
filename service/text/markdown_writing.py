"""A translated sentence as it is written in a Markdown document: its marks mark, and nothing else in it does."""

from __future__ import annotations

import re
from collections.abc import Mapping

from service.text.inline import STAND_IN
from service.text.markdown_emphasis import is_sign

_BLOCK_BEGINS = re.compile(r"(?:[-+>]|\#{1,6}|[0-9]{1,9}(?=[.)]))(?=[\s.)]|\Z)|[-=]{3,}\s*\Z|~{3,}|`{3,}")
_HTML_BEGINS = re.compile(r"<(?=[A-Za-z/!?])")
_RUNS = frozenset("`*_~")
_PARTS = re.compile(f"({STAND_IN.pattern})")


def write_markdown(translation: str, originals: Mapping[str, str], source: str) -> str:
    """A translation with what its stand-ins stand for. Spaces keep apart marks that would be read as one, and marks of
    emphasis from words where they would be read as text. Neither begins it a block, unless its source would, nor may
    anything else in it be read as a tag."""
    parts = [part for part in _PARTS.split(translation) if part]
    written = ["", *(originals.get(part) or _HTML_BEGINS.sub(r"\\<", part) for part in parts), ""]
    parts = ["", *parts, ""]
    pieces: list[str] = []
    for place in range(1, len(parts) - 1):
        before, part = parts[place - 1 : place + 1]
        left, right = written[place - 1 : place + 1]
        is_apart = (
            _is_one_run(before, part, left, right)
            or (_is_start(part) and _is_text(right, inner=written[place + 1][:1], outer=left[-1:]))
            or (_is_end(before) and _is_text(left, inner=written[place - 2][-1:], outer=right[:1]))
        )
        pieces += " " * is_apart, right
    return _no_block("".join(pieces), source)


def _is_start(part: str) -> bool:
    return part.startswith("<a/")


def _is_end(part: str) -> bool:
    return part.startswith("</a/")


def _is_one_run(before: str, part: str, left: str, right: str) -> bool:
    """Whether the end of a mark and the start of the next one would be read as one run."""
    are_marks = STAND_IN.fullmatch(before) and STAND_IN.fullmatch(part)
    return (
        bool(are_marks) and not _is_start(before) and not _is_end(part) and left[-1] == right[0] and left[-1] in _RUNS
    )


def _is_text(mark: str, *, inner: str, outer: str) -> bool:
    """Whether a mark of emphasis would be none beside the character outside of it: next to a letter one inside of a
    word, an underscore or a mark before punctuation is text."""
    return mark[0] in _RUNS and outer.isalnum() and (mark[0] == "_" or is_sign(inner))


def _no_block(text: str, source: str) -> str:
    begins = _BLOCK_BEGINS.match(text)
    if begins is None or _BLOCK_BEGINS.match(source):
        return text
    place = begins.end() if begins[0].isdigit() else 0
    return f"{text[:place]}\\{text[place:]}"

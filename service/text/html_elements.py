"""What HTML's elements are to a translation, and which of them are open at a place of a document.

The rules are those of the HTML standard as far as they decide what is translated: which elements are blocks, which end
without an end tag, and what ``translate="no"`` covers.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto

from service.text.inline import Kind

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
    def is_blocked(self) -> bool:
        return self._state is _State.BLOCKED

    @property
    def is_sealed(self) -> bool:
        return self._state is _State.SEALED

    @property
    def _state(self) -> _State:
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
        """Read an end tag. It closes the innermost element of its name with all inside; an inline one's never closes
        blocks."""
        if (self._num_blocks if is_block(name) else self._inline[-1])[name]:
            while self._close_to(len(self._opened) - 1) != name:
                pass

    def _state_of(self, name: str, attributes: str) -> _State:
        if self.is_sealed:
            return _State.SEALED
        if is_opaque(name, attributes):
            return _State.BLOCKED if is_block(name) and name not in _OPAQUE else _State.SEALED
        return self._state if _translates(attributes) is None else _State.TRANSLATED

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
    """What an element that stays as it is stands for."""
    if is_block(name):
        return Kind.BORDER
    return Kind.MARK if name in _STANDING_BETWEEN else Kind.NAME


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

"""Pairs of marks that open and close: tags, brackets, quotation marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

Role = tuple[str | None, str | None]  # the names of the pair that a mark may open, and of that which it may close


def partners(roles: Iterable[Role]) -> list[int | None]:
    """Return for each mark the index of the one that it is a pair with; None where there is none. A mark closes the
    last open pair of its name, and leaves those opened inside of it without an end; one that finds none to close may
    open one. Takes time linear in the number of marks."""
    found: list[int | None] = []
    opened: list[tuple[str, int]] = []
    num_open: Counter[str] = Counter()
    for place, (opens, closes) in enumerate(roles):
        found.append(None)
        if closes is not None and num_open[closes]:
            name = None
            while name != closes:
                name, start = opened.pop()
                num_open[name] -= 1
            found[start], found[place] = place, start
        elif opens is not None:
            opened.append((opens, place))
            num_open[opens] += 1
    return found

"""Language tags as callers write them, matched with the codes that models use."""

from __future__ import annotations

from collections.abc import Iterable

MAX_SUBTAGS = 8  # of a tag; further ones are not read


def match_language(tag: str, known: Iterable[str]) -> str | None:
    """The known code that a tag asks for, or None: ``es`` for ``ES``, ``es-MX`` and ``es_mx``.

    This is the lookup of RFC 4647, section 3.4: case does not matter, and subtags are dropped from the end until a
    code is found, so that ``pt-BR`` is ``pt-br`` where that is known and ``pt`` where it is not.
    """
    codes = {_normalized(code): code for code in known}
    subtags = _normalized(tag).split("-", MAX_SUBTAGS)[:MAX_SUBTAGS]
    while subtags:
        code = codes.get("-".join(subtags))
        if code is not None:
            return code
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:  # a singleton only introduces what was dropped
            subtags.pop()
    return None


def _normalized(tag: str) -> str:
    return tag.strip().replace("_", "-").lower()

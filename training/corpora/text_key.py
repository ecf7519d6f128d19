"""A key by which two texts count as the same, so that evaluation texts are not learned from in another spelling."""

from __future__ import annotations

import re

_NOT_COMPARED = re.compile(r"[\W_]+")


def key_of(text: str) -> str:
    """The letters and digits of a text in lower case; empty for a text of emoji or punctuation alone."""
    return _NOT_COMPARED.sub("", text).casefold()

"""When two texts count as the same: what is measured on must not be learned from in another spelling."""

from __future__ import annotations

import re

_NOT_COMPARED = re.compile(r"[\W_]+")


def key_of(text: str) -> str:
    """The letters and digits of a text, case aside; empty for a text of emoji or punctuation alone."""
    return _NOT_COMPARED.sub("", text).casefold()

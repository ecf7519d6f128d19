"""The parts of emoji and other symbols, and the words of their Unicode names."""

from __future__ import annotations

import re
import unicodedata

# Variation selectors, the zero-width joiner, skin tones, and the tags that follow a flag.
_MODIFIERS = re.compile("[\ufe0e\ufe0f\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
# Emoji by their variation selector that Unicode counts as a letter or as punctuation: ‼ ⁉ ℹ 〰
_SELECTED = re.compile("[\u203c\u2049\u2139\u3030]\ufe0f")


def parts_of_symbol(word: str) -> list[str]:
    """The characters of a word of emoji or symbols, without modifiers and joiners; none if it is any other word.

    Symbols are the characters outside ASCII of Unicode's categories S. Skin tones that stand alone are parts.
    """
    parts = list(_MODIFIERS.sub("", word)) or list(word.strip("\ufe0e\ufe0f\u200d"))
    if _KEYCAP.fullmatch(word) or _SELECTED.fullmatch(word) or all(map(_is_symbol, parts)):
        return parts
    return []


def name_words(character: str) -> list[str]:
    """The words of a character's Unicode name in lower case; none if it has no name.

    Names never change, but this Python may know fewer characters than a later one (``unicodedata.unidata_version``).
    """
    return unicodedata.name(character, "").lower().split()


def _is_symbol(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character)[0] == "S"

"""The private-use characters that stand for protected items in the text a translator's network reads and writes.

Each is one piece of the subword model. A symbol names the item's class and, modulo 16, its number in the sentence.
"""

from __future__ import annotations

SYMBOLS_PER_CLASS = 16
NUMBER_SYMBOLS = tuple(map(chr, range(0xE000, 0xE000 + SYMBOLS_PER_CLASS)))
NAME_SYMBOLS = tuple(map(chr, range(0xE010, 0xE010 + SYMBOLS_PER_CLASS)))
SYMBOLS = NUMBER_SYMBOLS + NAME_SYMBOLS

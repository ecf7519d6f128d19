"""What a translation must keep as it is in its source: found, hidden from the network, and put back."""

from __future__ import annotations

from service.text.placeholders.items import Item, scan, without_edges
from service.text.placeholders.masking import SYMBOLS, Masked, compose, has_words, mask
from service.text.placeholders.restoration import Restored, Style, join_parts, restore, written_items

__all__ = [
    "SYMBOLS",
    "Item",
    "Masked",
    "Restored",
    "Style",
    "compose",
    "has_words",
    "join_parts",
    "mask",
    "restore",
    "scan",
    "without_edges",
    "written_items",
]

"""What a reader of whole texts yields: the text as a person would type it, and its class."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledText:
    """A text and the index of its class. ``weight`` is what the example counts for in a loss, beside others' 1."""

    text: str
    label: int
    weight: float = 1.0


def key_of(text: str) -> str:
    """What two texts share that differ in case, punctuation or white space alone."""
    return "".join(character for character in text.casefold() if character.isalnum())


def without(texts: Sequence[LabelledText], held_out: Collection[str]) -> list[LabelledText]:
    """The texts that are none of ``held_out``, by ``key_of``: what is scored on must not be learned from."""
    keys = set(map(key_of, held_out))
    return [text for text in texts if key_of(text.text) not in keys]

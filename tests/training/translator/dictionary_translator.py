"""A translator for tests: a dictionary of sentences, and a function for all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from training.translator.answers import Answer, ServedModel
from training.translator.options import System

LANGUAGES = ("es", "de", "fr")


def system(
    say: Callable[[str, str], str] = lambda text, _: text,
    *,
    confidence: float | None = None,
    complete: bool | None = None,
    known: Mapping[str, str] | None = None,
    threshold: float | None = None,
) -> System:
    """Answer each text with what ``known`` has for it, or with what ``say`` makes of it in a direction."""

    def translate(texts: Sequence[str], direction: str) -> list[Answer]:
        return [
            Answer(translation=(known or {}).get(text, say(text, direction)), confidence=confidence, complete=complete)
            for text in texts
        ]

    model = ServedModel(name="made-up", version="0.0.1", threshold=threshold)
    return System(translate=translate, models=dict.fromkeys(LANGUAGES, model))

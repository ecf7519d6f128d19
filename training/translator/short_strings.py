"""Measure how many single words and short strings of software a translator gets right.

    python -m training.translator.short_strings --url http://127.0.0.1:8123

The 60 strings and the translations that count as right are in ``evaluation/short_strings.toml``. Case, a leading
article and punctuation around the words do not matter.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.report import table
from training.translator.answers import Answer
from training.translator.options import (
    EVALUATION,
    LANGUAGE_NAMES,
    System,
    finish,
    measurement_parser,
    open_system,
    shortened,
)

EDGE = " \t\u00a0\u202f.,:;!?¡¿…\"“”„«»'‘’()[]"
ARTICLES = {
    "es": r"(?:el|la|los|las|un|una)\s+",
    "de": r"(?:der|die|das|den|dem|ein|eine|einen)\s+",
    "fr": r"(?:(?:le|la|les|un|une|des)\s+|l')",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortString:
    """A string and the translations that count as right, by language."""

    text: str
    accepted: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A string whose translation is not among the accepted ones."""

    text: str
    translation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageStrings:
    """The figures of one language."""

    language: str
    strings: int
    right: int
    wrong: Sequence[Wrong]


@dataclass(frozen=True, slots=True, kw_only=True)
class StringFigures:
    """The figures of a model."""

    model: str
    languages: Sequence[LanguageStrings]


def read_strings() -> list[ShortString]:
    """Return the strings of ``evaluation/short_strings.toml``."""
    listing = tomllib.loads((EVALUATION / "short_strings.toml").read_text(encoding="utf-8"))
    return [ShortString(text=text, accepted=accepted) for text, accepted in listing.items()]


def plain(text: str, language: str) -> str:
    """Return a text in small letters, without an article before it and punctuation around it."""
    words = " ".join(text.casefold().replace("’", "'").split()).strip(EDGE)
    return re.sub(f"^{ARTICLES.get(language, '(?!)')}", "", words)


def is_right(string: ShortString, translation: str, language: str) -> bool:
    """Tell whether a translation is among the accepted ones."""
    return plain(translation, language) in {plain(each, language) for each in string.accepted[language]}


def measure(system: System, languages: Sequence[str], strings: Sequence[ShortString]) -> StringFigures:
    """Translate the strings and count the right ones."""
    texts = [each.text for each in strings]
    found = [of_language(language, strings, system.answers(texts, language)) for language in languages]
    return StringFigures(model=system.title, languages=found)


def of_language(language: str, strings: Sequence[ShortString], answers: Sequence[Answer]) -> LanguageStrings:
    """Return the figures of answers in one language."""
    wrong = [
        Wrong(text=string.text, translation=answer.translation)
        for string, answer in zip(strings, answers, strict=True)
        if not is_right(string, answer.translation, language)
    ]
    right = len(strings) - len(wrong)
    return LanguageStrings(language=language, strings=len(strings), right=right, wrong=wrong)


def as_markdown(figures: StringFigures) -> list[str]:
    """Return the table and the wrong translations as lines of Markdown."""
    rows = [[LANGUAGE_NAMES[each.language], str(each.right), str(each.strings)] for each in figures.languages]
    lines = table(["language", "right", "of"], rows)
    for each in figures.languages:
        listed = "; ".join(f"{wrong.text} → {wrong.translation}" for wrong in each.wrong)
        lines += [f"Otherwise than accepted, {LANGUAGE_NAMES[each.language]}: {listed or 'none'}.", ""]
    return lines


def main() -> None:
    arguments = measurement_parser(__doc__).parse_args()
    system = open_system(arguments)
    figures = measure(system, arguments.languages, shortened(read_strings(), arguments.limit))
    finish("short_strings", figures, as_markdown(figures), arguments=arguments, system=system)


if __name__ == "__main__":
    main()

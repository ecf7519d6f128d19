"""Measure the quality that a translator loses if a text is in ALL CAPS or in Title Case.

    python -m training.translator.casing --url http://127.0.0.1:8123

The 40 sentences of ``evaluation/casing.toml`` are translated as they are, in capitals and with each word capitalised.
Translations of capitals are compared with references in capitals, as they are; those of Title Case in small letters. A
ratio is the chrF of a writing, divided by the chrF of plain text under the same comparison.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.report import table
from training.translator.options import (
    EVALUATION,
    LANGUAGE_NAMES,
    System,
    finish,
    measurement_parser,
    open_system,
    shortened,
)
from training.translator.scores import chrf_of

Sentence = Mapping[str, str]  # a text by language, English among them


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageCasing:
    """The chrF of one language by the writing of the source."""

    language: str
    sentences: int
    plain: float
    plain_lowered: float  # both sides in small letters, the divisor of Title Case
    capitals: float
    title: float

    @property
    def capitals_ratio(self) -> float:
        """The share of plain quality that capitals keep."""
        return self.capitals / self.plain if self.plain else 0.0

    @property
    def title_ratio(self) -> float:
        """The share of plain quality that Title Case keeps."""
        return self.title / self.plain_lowered if self.plain_lowered else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The translations of a sentence by the writing of the source."""

    language: str
    source: str
    plain: str
    capitals: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CasingFigures:
    """The figures of a model."""

    model: str
    languages: Sequence[LanguageCasing]
    examples: Sequence[Example]


def read_sentences() -> list[Sentence]:
    """Return the sentences of ``evaluation/casing.toml``."""
    return tomllib.loads((EVALUATION / "casing.toml").read_text(encoding="utf-8"))["sentence"]


def title_case(text: str) -> str:
    """Capitalise the first letter of each word."""
    return " ".join(word[:1].upper() + word[1:] for word in text.split(" "))


def measure(system: System, languages: Sequence[str], sentences: Sequence[Sentence]) -> CasingFigures:
    """Translate the sentences in the three writings and compare."""
    plain = [sentence["en"] for sentence in sentences]
    found, examples = [], []
    for language in languages:
        writings = [plain, [text.upper() for text in plain], [title_case(text) for text in plain]]
        translated = [[each.translation for each in system.answers(texts, language)] for texts in writings]
        found.append(of_language(language, [sentence[language] for sentence in sentences], *translated))
        examples += [
            Example(language=language, source=source, plain=one, capitals=two, title=three)
            for source, one, two, three in zip(plain, *translated, strict=True)
        ]
    return CasingFigures(model=system.title, languages=found, examples=examples)


def of_language(
    language: str, references: Sequence[str], plain: Sequence[str], capitals: Sequence[str], title: Sequence[str]
) -> LanguageCasing:
    """Return the chrF of translations from the three writings."""
    lowered = [text.lower() for text in references]
    return LanguageCasing(
        language=language,
        sentences=len(references),
        plain=chrf_of(plain, references),
        plain_lowered=chrf_of([text.lower() for text in plain], lowered),
        capitals=chrf_of(capitals, [text.upper() for text in references]),
        title=chrf_of([text.lower() for text in title], lowered),
    )


def as_markdown(figures: CasingFigures, *, num_examples: int | None = None) -> list[str]:
    """Return the table and the examples as lines of Markdown."""
    rows = [
        [
            LANGUAGE_NAMES[each.language],
            f"{each.plain:.2f}",
            f"{each.capitals:.2f}",
            f"{each.capitals_ratio:.3f}",
            f"{each.title:.2f}",
            f"{each.title_ratio:.3f}",
        ]
        for each in figures.languages
    ]
    lines = table(["chrF", "plain", "ALL CAPS", "ratio", "Title Case", "ratio"], rows)
    for each in figures.examples[:num_examples]:
        lines += [f"- {each.language}: {each.source}", f"  - {each.plain}", f"  - {each.capitals}", f"  - {each.title}"]
    return [*lines, ""]


def main() -> None:
    arguments = measurement_parser(__doc__).parse_args()
    system = open_system(arguments)
    figures = measure(system, arguments.languages, shortened(read_sentences(), arguments.limit))
    finish("casing", figures, as_markdown(figures), arguments=arguments, system=system)


if __name__ == "__main__":
    main()

"""Print translations of business, software and news sentences for a reader to judge, and summarise the judgements.

    python -m training.translator.usable --url http://127.0.0.1:8123 --output runs/en-xx/evaluation
    python -m training.translator.usable --url http://127.0.0.1:8123 --judgements runs/en-xx/evaluation/usable.tsv

The first writes ``usable.tsv``: language, number, an empty judgement, English, translation. A reader fills in ``yes``
or ``no``. The second counts usable translations at and above thresholds of confidence; a judgement counts only while
the translation is still the one that was judged.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.report import table
from training.translator.answers import Answer
from training.translator.options import (
    EVALUATION,
    LANGUAGE_NAMES,
    System,
    finish,
    measurement_parser,
    open_system,
    output_folder,
    shortened,
)

THRESHOLDS = tuple(step / 10 for step in range(10))
VERDICTS = {"yes": True, "no": False, "": None}

Judgements = Mapping[tuple[str, str], bool]  # by language and translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """An English sentence and where it might stand."""

    domain: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A translation and whether it is usable, None without a judgement."""

    number: int
    domain: str
    source: str
    translation: str
    confidence: float | None
    usable: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdCount:
    """The judged translations whose confidence is at or above a threshold."""

    threshold: float
    above: int
    usable: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageUse:
    """The translations of one language and their counts."""

    language: str
    sentences: Sequence[Judged]
    judged: int
    usable: int
    thresholds: Sequence[ThresholdCount]  # none where there is no confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class UseFigures:
    """The figures of a model."""

    model: str
    languages: Sequence[LanguageUse]


def read_sentences() -> list[Sentence]:
    """Return the sentences of ``evaluation/usable.toml``."""
    listing = tomllib.loads((EVALUATION / "usable.toml").read_text(encoding="utf-8"))
    return [Sentence(domain=domain, text=text) for domain, texts in listing.items() for text in texts]


def read_judgements(path: Path | None) -> Judgements:
    """Return the filled-in judgements of a file. Raises ValueError on a judgement that is not yes, no or empty."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path else (), 1):
        language, _, judgement, _, translation = line.split("\t")
        if judgement.strip().lower() not in VERDICTS:
            raise ValueError(f"{path}: line {number}: {judgement!r} is neither yes nor no")
        verdict = VERDICTS[judgement.strip().lower()]
        if verdict is not None:
            found[language, translation] = verdict
    return found


def write_judgements(figures: UseFigures, path: Path) -> None:
    """Write a line for each translation, with its judgement if it has one."""
    names = {verdict: name for name, verdict in VERDICTS.items()}
    lines = (
        "\t".join((part.language, str(each.number), names[each.usable], each.source, _one_line(each.translation)))
        for part in figures.languages
        for each in part.sentences
    )
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def measure(
    system: System, languages: Sequence[str], sentences: Sequence[Sentence], judgements: Judgements
) -> UseFigures:
    """Translate the sentences and join them with a reader's judgements of the translations."""
    texts = [each.text for each in sentences]
    found = [of_language(language, sentences, system.answers(texts, language), judgements) for language in languages]
    return UseFigures(model=system.title, languages=found)


def of_language(
    language: str, sentences: Sequence[Sentence], answers: Sequence[Answer], judgements: Judgements
) -> LanguageUse:
    """Return the figures of answers in one language."""
    found = [
        Judged(
            number=number,
            domain=sentence.domain,
            source=sentence.text,
            translation=answer.translation,
            confidence=answer.confidence,
            usable=judgements.get((language, _one_line(answer.translation))),
        )
        for number, (sentence, answer) in enumerate(zip(sentences, answers, strict=True), 1)
    ]
    judged = [each for each in found if each.usable is not None]
    return LanguageUse(
        language=language,
        sentences=found,
        judged=len(judged),
        usable=sum(each.usable is True for each in judged),
        thresholds=_by_threshold(judged),
    )


def _by_threshold(judged: Sequence[Judged]) -> list[ThresholdCount]:
    counts = []
    for threshold in THRESHOLDS:
        above = [each for each in judged if each.confidence is not None and each.confidence >= threshold]
        if above:
            usable = sum(each.usable is True for each in above)
            counts.append(ThresholdCount(threshold=threshold, above=len(above), usable=usable))
    return counts


def as_markdown(figures: UseFigures) -> list[str]:
    """Return the counts as lines of Markdown."""
    rows = [
        [LANGUAGE_NAMES[each.language], str(len(each.sentences)), str(each.judged), str(each.usable)]
        for each in figures.languages
    ]
    lines = table(["language", "sentences", "judged", "usable"], rows)
    rows = [
        [
            f"{LANGUAGE_NAMES[part.language]}, {each.threshold:.1f}",
            str(each.above),
            str(each.usable),
            f"{each.usable / each.above:.0%}",
        ]
        for part in figures.languages
        for each in part.thresholds
    ]
    return [*lines, *(table(["confidence of at least", "judged", "usable", "share"], rows) if rows else [])]


def to_read(figures: UseFigures) -> list[str]:
    """Return the translations as lines of Markdown."""
    lines = []
    for part in figures.languages:
        rows = [
            [
                str(each.number),
                each.domain,
                each.source,
                _one_line(each.translation).replace("|", "\\|"),
                "" if each.confidence is None else f"{each.confidence:.2f}",
                {True: "yes", False: "no", None: ""}[each.usable],
            ]
            for each in part.sentences
        ]
        header = ["", "domain", "English", LANGUAGE_NAMES[part.language], "confidence", "usable"]
        lines += [f"### {LANGUAGE_NAMES[part.language]}", "", *table(header, rows)]
    return lines


def _one_line(text: str) -> str:
    return " ".join(text.split())


def main() -> None:
    parser = measurement_parser(__doc__)
    parser.add_argument("--judgements", type=Path, help="a filled-in usable.tsv")
    arguments = parser.parse_args()
    system = open_system(arguments)
    sentences = shortened(read_sentences(), arguments.limit)
    figures = measure(system, arguments.languages, sentences, read_judgements(arguments.judgements))
    write_judgements(figures, output_folder(arguments, system) / "usable.tsv")
    finish("usable", figures, [*to_read(figures), *as_markdown(figures)], arguments=arguments, system=system)


if __name__ == "__main__":
    main()

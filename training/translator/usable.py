"""Print translations of business, software and news sentences for a reader to judge, and summarise the judgements.

    python -m training.translator.usable --url http://127.0.0.1:8123 --output runs/translators/evaluation
    python -m training.translator.usable --url http://127.0.0.1:8123 --judgements runs/translators/evaluation/usable.tsv

The first writes ``usable.tsv``: language, number, an empty judgement, English, translation. It holds 60 translations
of any confidence and, of a pool of sentences, the first 60 of each language whose confidence is at or above the
model's threshold. A reader fills in ``yes`` or ``no``. The second counts the usable ones of both, and by steps of
confidence; a judgement counts only while the translation is still the one that was judged.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
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

STEPS = tuple(step / 10 for step in range(10))
NUM_CONFIDENT = 60  # judged at or above the threshold, of each language
VERDICTS = {"yes": True, "no": False, "": None}

Judgements = Mapping[tuple[str, str], bool]  # by language and translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """An English sentence and where it might stand."""

    domain: str
    text: str
    always: bool = True  # judged whatever the confidence of its translation is


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A translation and whether it is usable, None without a judgement."""

    number: int
    domain: str
    always: bool
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
    sentences: Sequence[Judged]  # those to be judged
    judged: int  # of those that are judged whatever their confidence is
    usable: int
    translated: int  # sentences, those of the pool among them
    confident: int  # of these, those at or above the model's threshold
    at_threshold: ThresholdCount | None  # None where there is no threshold
    steps: Sequence[ThresholdCount]  # none where there is no confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class UseFigures:
    """The figures of a model."""

    model: str
    languages: Sequence[LanguageUse]


def read_sentences() -> list[Sentence]:
    """Return the sentences of ``evaluation/usable.toml``; those of the pool come from all domains in turn."""
    listing = tomllib.loads((EVALUATION / "usable.toml").read_text(encoding="utf-8"))
    always = [Sentence(domain=domain, text=text) for domain, texts in listing["always"].items() for text in texts]
    columns = [
        [Sentence(domain=domain, text=text, always=False) for text in texts]
        for domain, texts in listing["pool"].items()
    ]
    return [*always, *(each for row in zip_longest(*columns) for each in row if each is not None)]


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
    found = [
        of_language(
            language,
            sentences,
            system.answers(texts, language),
            judgements,
            threshold=system.models[language].threshold,
        )
        for language in languages
    ]
    return UseFigures(model=system.title, languages=found)


def of_language(
    language: str,
    sentences: Sequence[Sentence],
    answers: Sequence[Answer],
    judgements: Judgements,
    *,
    threshold: float | None,
) -> LanguageUse:
    """Return the figures of answers in one language."""
    found = [
        Judged(
            number=number,
            domain=sentence.domain,
            always=sentence.always,
            source=sentence.text,
            translation=answer.translation,
            confidence=answer.confidence,
            usable=judgements.get((language, _one_line(answer.translation))),
        )
        for number, (sentence, answer) in enumerate(zip(sentences, answers, strict=True), 1)
    ]
    confident = [each for each in found if threshold is not None and (each.confidence or 0.0) >= threshold]
    of_pool = [each for each in confident if not each.always][:NUM_CONFIDENT]
    always = [each for each in found if each.always]
    shown = [*always, *of_pool]
    judged = [each for each in shown if each.usable is not None]
    return LanguageUse(
        language=language,
        sentences=shown,
        judged=sum(each.usable is not None for each in always),
        usable=sum(each.usable is True for each in always),
        translated=len(found),
        confident=len(confident),
        at_threshold=None if threshold is None else _count(threshold, of_pool),
        steps=[_count(step, judged) for step in STEPS if _above(step, judged)],
    )


def _above(threshold: float, found: Sequence[Judged]) -> list[Judged]:
    return [each for each in found if each.confidence is not None and each.confidence >= threshold]


def _count(threshold: float, found: Sequence[Judged]) -> ThresholdCount:
    judged = [each for each in _above(threshold, found) if each.usable is not None]
    return ThresholdCount(threshold=threshold, above=len(judged), usable=sum(each.usable is True for each in judged))


def as_markdown(figures: UseFigures) -> list[str]:
    """Return the counts as lines of Markdown."""
    rows = [
        [
            LANGUAGE_NAMES[each.language],
            f"{each.usable} of {each.judged}",
            f"{each.confident} of {each.translated}",
            "" if each.at_threshold is None else f"{each.at_threshold.threshold:.2f}",
            "" if each.at_threshold is None else f"{each.at_threshold.usable} of {each.at_threshold.above}",
        ]
        for each in figures.languages
    ]
    header = ["language", "usable of any confidence", "confident", "threshold", "usable of the pool's confident ones"]
    lines = table(header, rows)
    rows = [
        [
            f"{LANGUAGE_NAMES[part.language]}, {each.threshold:.1f}",
            str(each.above),
            str(each.usable),
            f"{each.usable / each.above:.0%}",
        ]
        for part in figures.languages
        for each in part.steps
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

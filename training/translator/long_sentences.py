"""Count probable omissions and repetitions in translations of long sentences, and print all of them for reading.

    python -m training.translator.long_sentences --url http://127.0.0.1:8123 --output runs/translators/evaluation
    python -m training.translator.long_sentences --url http://127.0.0.1:8123 --verdicts FOLDER/long_sentences.tsv

The 50 sentences of 30 to 60 words are in ``evaluation/long_sentences.toml``. The counts are hints: a part may also be
translated by words that are not listed, or by wrong ones. So the translations are printed with the signs found in them
and written to ``long_sentences.tsv``, in which a reader says what is missing and repeated (``long_verdicts.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from training.report import table
from training.translator.answers import Answer
from training.translator.long_verdicts import (
    FILE,
    Extent,
    ReadTranslation,
    Verdict,
    Verdicts,
    read_verdicts,
    write_verdicts,
)
from training.translator.omissions import LongSentence, Signs, read_long_sentences, signs_of
from training.translator.options import (
    LANGUAGE_NAMES,
    System,
    finish,
    measurement_parser,
    open_system,
    output_folder,
    shortened,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """A translation with the signs found in it."""

    kind: str
    source: str
    translation: str
    confidence: float | None
    signs: Signs
    verdict: Verdict | None  # a reader's

    @property
    def suspect(self) -> bool:
        """Whether there is a sign of either error."""
        return self.signs.omission or self.signs.repetition

    def has(self, extent: Extent) -> bool:
        """Whether a reader found so much missing or repeated."""
        return self.verdict is not None and self.verdict.has(extent)


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageLength:
    """The figures of one language."""

    language: str
    sentences: int
    omissions: int  # sentences with a part that is probably missing
    repetitions: int  # sentences with a part that is probably repeated
    either: int
    untold: int  # of these, those whose ``complete`` does not say so
    parts_missing: int  # of all parts of all sentences
    parts: int
    length_ratio: float  # mean
    read: int  # sentences with a reader's verdict
    clauses: int  # of these, those with a clause that is missing or repeated
    words: int  # others, with some words of a clause that are missing or repeated
    agreed: int  # of ``clauses``, those with signs
    inspected: Sequence[Inspected]


@dataclass(frozen=True, slots=True, kw_only=True)
class LongFigures:
    """The figures of a model."""

    model: str
    languages: Sequence[LanguageLength]


def measure(
    system: System, languages: Sequence[str], sentences: Sequence[LongSentence], verdicts: Verdicts
) -> LongFigures:
    """Translate the sentences, look for omissions and repetitions, and join them with a reader's verdicts."""
    texts = [each.text for each in sentences]
    found = [of_language(language, sentences, system.answers(texts, language), verdicts) for language in languages]
    return LongFigures(model=system.title, languages=found)


def of_language(
    language: str, sentences: Sequence[LongSentence], answers: Sequence[Answer], verdicts: Verdicts
) -> LanguageLength:
    """Return the figures of answers in one language."""
    inspected = [
        Inspected(
            kind=sentence.kind,
            source=sentence.text,
            translation=answer.translation,
            confidence=answer.confidence,
            signs=signs_of(sentence, answer.translation, language, complete=answer.complete),
            verdict=verdicts.get((language, answer.translation)),
        )
        for sentence, answer in zip(sentences, answers, strict=True)
    ]
    signs = [each.signs for each in inspected]
    suspects = [each.signs for each in inspected if each.suspect]
    faulty = [each for each in inspected if each.has(Extent.CLAUSE)]
    return LanguageLength(
        language=language,
        sentences=len(sentences),
        omissions=sum(each.omission for each in signs),
        repetitions=sum(each.repetition for each in signs),
        either=len(suspects),
        untold=sum(not each.incomplete for each in suspects),
        parts_missing=sum(len(each.missing_parts) for each in signs),
        parts=sum(len(sentence.parts[language]) for sentence in sentences),
        length_ratio=round(fmean(each.length_ratio for each in signs), 2),
        read=sum(each.verdict is not None for each in inspected),
        clauses=len(faulty),
        words=sum(each.has(Extent.WORDS) and not each.has(Extent.CLAUSE) for each in inspected),
        agreed=sum(each.suspect for each in faulty),
        inspected=inspected,
    )


def as_markdown(figures: LongFigures) -> list[str]:
    """Return the table of all languages as lines of Markdown."""
    rows = [
        [
            LANGUAGE_NAMES[each.language],
            str(each.sentences),
            str(each.omissions),
            str(each.repetitions),
            str(each.either),
            str(each.untold),
            f"{each.parts_missing} of {each.parts}",
            f"{each.length_ratio:.2f}",
            f"{each.clauses} of {each.read}",
            str(each.words),
            str(each.agreed),
        ]
        for each in figures.languages
    ]
    signs = ["omissions", "repetitions", "either", "not told", "parts missing", "length"]
    return table(["language", "sentences", *signs, "read: a clause", "read: words", "clause and signs"], rows)


def to_judge(figures: LongFigures) -> Iterator[ReadTranslation]:
    """Yield the translations for a reader's verdicts."""
    for part in figures.languages:
        for number, each in enumerate(part.inspected, 1):
            yield ReadTranslation(
                language=part.language,
                number=number,
                source=each.source,
                translation=each.translation,
                verdict=each.verdict,
            )


def to_read(figures: LongFigures) -> list[str]:
    """Return every translation, with the signs found in it, as lines of Markdown."""
    lines = []
    for language in figures.languages:
        lines += [f"### {LANGUAGE_NAMES[language.language]}", ""]
        for number, each in enumerate(language.inspected, 1):
            lines += [f"{number}. {each.source}", f"   - {each.translation}", f"   - {noticed(each)}"]
        lines += [""]
    return lines


def noticed(each: Inspected) -> str:
    """Return the signs found in a translation in words."""
    verdict = [name for name in ("omission", "repetition") if getattr(each.signs, name)] or ["nothing"]
    told = {name: value for name, value in asdict(each.signs).items() if value}
    read = "" if each.verdict is None else f"; read: missing {each.verdict.missing}, repeated {each.verdict.repeated}"
    confidence = "" if each.confidence is None else f"; confidence {each.confidence:.2f}"
    details = "; ".join(f"{name.replace('_', ' ')}: {_listed(value)}" for name, value in told.items())
    return f"**{', '.join(verdict)}**; {details}{confidence}{read}"


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def main() -> None:
    parser = measurement_parser(__doc__)
    parser.add_argument("--verdicts", type=Path, help=f"a filled-in {FILE}")
    arguments = parser.parse_args()
    system = open_system(arguments)
    sentences = shortened(read_long_sentences(), arguments.limit)
    figures = measure(system, arguments.languages, sentences, read_verdicts(arguments.verdicts))
    write_verdicts(to_judge(figures), output_folder(arguments, system) / FILE)
    lines = [*to_read(figures), *as_markdown(figures)]
    finish("long_sentences", figures, lines, arguments=arguments, system=system)


if __name__ == "__main__":
    main()

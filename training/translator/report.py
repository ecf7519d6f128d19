"""Measure a translator in every way and write its report: report.md, examples.md, figures.json and pictures.

    python -m training.translator.report --url http://127.0.0.1:8123 --data-dir data --runs runs/en-xx runs/en-es

The service translates the sets of each domain, generated sentences with protected items, short strings, casing, long
sentences, sentences for a reader's judgement and small inputs by kind. ``--runs`` names the folders of the runs, in
their order, whose training the learning curve shows. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from training.report import picture, table
from training.translator import (
    cases,
    casing,
    domains,
    examples,
    long_sentences,
    long_verdicts,
    protected,
    short_strings,
    usable,
)
from training.translator.cases import CaseFigures
from training.translator.casing import CasingFigures
from training.translator.domains import DomainFigures
from training.translator.examples import DomainExamples
from training.translator.long_sentences import LongFigures
from training.translator.omissions import read_long_sentences
from training.translator.options import System, measurement_parser, open_system, shortened, write_figures
from training.translator.pictures import core_hours, draw_domains, draw_learning_curve, draw_lengths
from training.translator.protected import Protection
from training.translator.protected_items import NUM_SENTENCES, generate, read_kinds
from training.translator.short_strings import StringFigures
from training.translator.summary import summary_rows
from training.translator.usable import UseFigures

SHOWN_FAILURES = 10  # of a language, in the report; figures.json has all
HOW = """
All texts went through `POST /translate` with the default beam, as users send them. BLEU and chrF by sacreBLEU, cased
and detokenised, on the first reference. Each part can be measured alone with a module of `training/translator`.
"""
LONG = """
Omissions: two parts of a sentence or a number are missing, or the translation is much too short. Repetitions: a run of
words recurs that does not in the source. Both are signs, not proofs: a wrong word looks like a missing part. "Not
told": the answer does not say that it is incomplete. "Read" is a reader's verdict, with the source before them: in so
many a clause, in so many others some words of one, are missing or repeated, whatever else is wrong
([long_sentences.tsv](long_sentences.tsv)). "Clause and signs": how many of the former the signs found.
"""
JUDGED = """
A reader judges translations, with the source before them: usable as it is, or after a change of a word. 60 sentences
are judged whatever their confidence is, and of a pool up to 60 whose confidence is at or above the threshold.
"""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatorFigures:
    """All measured figures of a translator."""

    model: str
    domains: DomainFigures
    protected: Protection
    short_strings: StringFigures
    casing: CasingFigures
    long_sentences: LongFigures
    usable: UseFigures
    cases: CaseFigures
    history: Sequence[Mapping[str, float]]  # of training, an epoch each
    examples: Sequence[DomainExamples]


def measure_all(system: System, arguments: argparse.Namespace) -> TranslatorFigures:
    """Translate everything and return its figures; progress is printed on standard error."""
    languages, limit = arguments.languages, arguments.limit
    translated, by_domain = _told("domains", lambda: domains.measure_domains(system, arguments))
    sentences = generate(read_kinds(), number=min(limit or NUM_SENTENCES, NUM_SENTENCES))
    judgements = usable.read_judgements(arguments.judgements)
    return TranslatorFigures(
        model=system.title,
        domains=by_domain,
        protected=_told("protected items", lambda: protected.measure(system, languages, sentences)),
        short_strings=_told(
            "short strings",
            lambda: short_strings.measure(system, languages, shortened(short_strings.read_strings(), limit)),
        ),
        casing=_told("casing", lambda: casing.measure(system, languages, shortened(casing.read_sentences(), limit))),
        long_sentences=_told(
            "long sentences",
            lambda: long_sentences.measure(
                system,
                languages,
                shortened(read_long_sentences(), limit),
                long_verdicts.read_verdicts(arguments.verdicts),
            ),
        ),
        usable=_told(
            "usable",
            lambda: usable.measure(system, languages, shortened(usable.read_sentences(), limit), judgements),
        ),
        cases=_told("cases", lambda: cases.measure(system, languages, shortened(cases.read_cases(), limit))),
        history=[each for folder in arguments.runs for each in read_history(folder)],
        examples=[examples.examples_of(part) for part in translated],
    )


def read_history(folder: Path) -> list[dict[str, float]]:
    """Return the figures of each epoch of a run; nothing if it kept no checkpoint."""
    from training.checkpoints import history_of_training

    return history_of_training(folder)


def write_report(figures: TranslatorFigures, folder: Path) -> None:
    """Write the report's files into a folder, which is made if necessary."""
    folder.mkdir(parents=True, exist_ok=True)
    write_figures(figures, folder / "figures.json")
    (folder / "report.md").write_text(_text(report_lines(figures)), encoding="utf-8")
    (folder / "examples.md").write_text(_text(example_lines(figures)), encoding="utf-8")
    draw_domains(figures.domains, folder / "by-domain.png")
    draw_lengths(figures.domains, folder / "by-length.png")
    if figures.history:
        draw_learning_curve(figures.history, folder / "learning-curve.png")


def report_lines(figures: TranslatorFigures) -> list[str]:
    """Return the lines of report.md."""
    return [
        f"# {figures.model}",
        HOW,
        "Ten translations of each domain, all long sentences and those to be judged: [examples.md](examples.md).",
        "",
        *table(["figure", *_directions(figures)], summary_rows(figures)),
        *_section("By domain and by length", [*domains.as_markdown(figures.domains), *_pictures("domain", "length")]),
        *_section("Training", _training(figures)),
        *_section("Protected items", protected.as_markdown(figures.protected, most_failures=SHOWN_FAILURES)),
        *_section("Words and short strings of software", short_strings.as_markdown(figures.short_strings)),
        *_section("ALL CAPS and Title Case", casing.as_markdown(figures.casing, num_examples=0)),
        *_section("Sentences of 30 to 60 words", [LONG, *long_sentences.as_markdown(figures.long_sentences)]),
        *_section("Usable translations and confidence", [JUDGED, *usable.as_markdown(figures.usable)]),
        *_section("Small inputs by kind", cases.as_markdown(figures.cases)),
    ]


def example_lines(figures: TranslatorFigures) -> list[str]:
    """Return the lines of examples.md."""
    return [
        f"# Translations by {figures.model}",
        "",
        "Of each domain the best, the middle and the worst by chrF: source, translation, reference.",
        "",
        *examples.as_markdown(figures.examples),
        *_section("Sentences of 30 to 60 words", long_sentences.to_read(figures.long_sentences)),
        *_section("To be judged", usable.to_read(figures.usable)),
        *_section("Plain, ALL CAPS, Title Case", casing.as_markdown(figures.casing)),
    ]


def _directions(figures: TranslatorFigures) -> list[str]:
    return [f"en-{each.language}" for each in figures.protected.languages]


def _training(figures: TranslatorFigures) -> list[str]:
    if not figures.history:
        return ["No history of the runs was at hand.", ""]
    hours = core_hours(figures.history)[-1]
    told = f"{len(figures.history)} epochs in {hours:.1f} core-hours, evaluation left out."
    return [told, "", "![Loss and dev figures over core-hours](learning-curve.png)", ""]


def _pictures(*names: str) -> Iterator[str]:
    for name in names:
        yield from picture("by", name)


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *lines]


def _told(name: str, measure: Callable[[], Result]) -> Result:
    print(f"{name} ...", file=sys.stderr)
    return measure()


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


def main() -> None:
    parser = measurement_parser(__doc__)
    domains.add_domain_flags(parser, split="test")
    parser.add_argument("--judgements", type=Path, help="a filled-in usable.tsv of training.translator.usable")
    parser.add_argument(
        "--verdicts", type=Path, help="a filled-in long_sentences.tsv of training.translator.long_sentences"
    )
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="run folders, in the order of training")
    arguments = parser.parse_args()
    system = open_system(arguments)
    folder = arguments.output or Path("docs/reports") / system.name
    figures = measure_all(system, arguments)
    write_report(figures, folder)
    usable.write_judgements(figures.usable, folder / "usable.tsv")
    long_verdicts.write_verdicts(long_sentences.to_judge(figures.long_sentences), folder / long_verdicts.FILE)
    print("\n".join([*table(["figure", *_directions(figures)], summary_rows(figures)), f"written: {folder}"]))


if __name__ == "__main__":
    main()

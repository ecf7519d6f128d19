"""Measure a translator on small inputs of the kinds that translators often get wrong.

    python -m training.translator.cases --url http://127.0.0.1:8123

Inputs and the conditions on their translations are in ``evaluation/cases.toml``, which says what each field means.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.report import table
from training.translator.answers import Answer
from training.translator.omissions import repeated_runs
from training.translator.options import (
    EVALUATION,
    LANGUAGE_NAMES,
    LANGUAGES,
    System,
    finish,
    measurement_parser,
    open_system,
    shortened,
)
from training.translator.short_strings import plain

ANY = "|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The conditions on a translation; an entry with ``|`` in it names alternatives."""

    must_contain: Sequence[str] = ()
    must_not_contain: Sequence[str] = ()
    words: Sequence[str] = ()  # in any case
    one_of: Sequence[str] = ()
    no_repetition: bool = False
    confidence_below: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An input and its expectation in each language that it is for."""

    kind: str
    input: str
    expected: Mapping[str, Expectation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A translation that misses a condition."""

    kind: str
    input: str
    translation: str
    complaints: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindShare:
    """The number of cases of a kind, and of those that hold."""

    kind: str
    cases: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageCases:
    """The figures of one language."""

    language: str
    kinds: Sequence[KindShare]
    failed: Sequence[Failed]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFigures:
    """The figures of a model."""

    model: str
    languages: Sequence[LanguageCases]


def read_cases() -> list[Case]:
    """Return the cases of ``evaluation/cases.toml``. Raises TypeError on an unknown field."""
    listing = tomllib.loads((EVALUATION / "cases.toml").read_text(encoding="utf-8"))
    return [_case(entry) for entry in listing["case"]]


def _case(entry: Mapping[str, Any]) -> Case:
    own = {name: value for name, value in entry.items() if name not in {"kind", "input", "languages", *LANGUAGES}}
    expected = {
        language: Expectation(**_joined(own, entry.get(language, {}))) for language in entry.get("languages", LANGUAGES)
    }
    return Case(kind=entry["kind"], input=entry["input"], expected=expected)


def _joined(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    lists = {name: [*common[name], *own[name]] for name in common.keys() & own.keys()}
    return {**common, **own, **lists}


def complaints(case: Case, answer: Answer, language: str) -> list[str]:
    """Return the conditions that a translation misses."""
    expected, text = case.expected[language], answer.translation
    found = [f"without {each!r}" for each in expected.must_contain if not _has(text, each)]
    found += [f"with {each!r}" for each in expected.must_not_contain if _has(text, each)]
    found += [f"without {each!r}" for each in expected.words if not _has(text.casefold(), each.casefold())]
    if expected.one_of and plain(text, language) not in {plain(each, language) for each in expected.one_of}:
        found.append(f"none of {', '.join(expected.one_of)}")
    if expected.no_repetition and (runs := repeated_runs(text, case.input)):
        found.append(f"repeats {runs[0]!r}")
    if expected.confidence_below is not None:
        found += _confident(answer, expected.confidence_below)
    return found


def _has(text: str, alternatives: str) -> bool:
    return any(each in text for each in alternatives.split(ANY))


def _confident(answer: Answer, limit: float) -> list[str]:
    if answer.confidence is None:
        return ["no confidence"]
    return [f"confidence {answer.confidence:.2f}"] if answer.confidence >= limit else []


def measure(system: System, languages: Sequence[str], cases: Sequence[Case]) -> CaseFigures:
    """Translate the inputs and count by kind those that hold."""
    found = []
    for language in languages:
        own = [case for case in cases if language in case.expected]
        found.append(of_language(language, own, system.answers([case.input for case in own], language)))
    return CaseFigures(model=system.title, languages=found)


def of_language(language: str, cases: Sequence[Case], answers: Sequence[Answer]) -> LanguageCases:
    """Return the figures of answers in one language."""
    failed = [
        Failed(kind=case.kind, input=case.input, translation=answer.translation, complaints=wrong)
        for case, answer in zip(cases, answers, strict=True)
        if (wrong := complaints(case, answer, language))
    ]
    kinds = []
    for kind in dict.fromkeys(case.kind for case in cases):
        total = sum(case.kind == kind for case in cases)
        kinds.append(KindShare(kind=kind, cases=total, right=total - sum(each.kind == kind for each in failed)))
    return LanguageCases(language=language, kinds=kinds, failed=failed)


def as_markdown(figures: CaseFigures, *, with_failures: bool = True) -> list[str]:
    """Return the shares by kind and the failures as lines of Markdown."""
    columns = [{each.kind: f"{each.right}/{each.cases}" for each in part.kinds} for part in figures.languages]
    rows = [[kind, *(column.get(kind, "") for column in columns)] for kind in dict.fromkeys(_kinds(figures))]
    totals = [
        f"{sum(each.right for each in part.kinds)}/{sum(each.cases for each in part.kinds)}"
        for part in figures.languages
    ]
    header = ["kind", *(LANGUAGE_NAMES[each.language] for each in figures.languages)]
    lines = table(header, [*rows, ["all", *totals]])
    for part in figures.languages if with_failures else ():
        for each in part.failed:
            lines += [f"- {part.language}, {each.kind}: {each.input!r} → {each.translation!r}"]
            lines += [f"  - {'; '.join(each.complaints)}"]
    return [*lines, ""]


def _kinds(figures: CaseFigures) -> list[str]:
    return [each.kind for part in figures.languages for each in part.kinds]


def main() -> None:
    arguments = measurement_parser(__doc__).parse_args()
    system = open_system(arguments)
    figures = measure(system, arguments.languages, shortened(read_cases(), arguments.limit))
    finish("cases", figures, as_markdown(figures), arguments=arguments, system=system)


if __name__ == "__main__":
    main()

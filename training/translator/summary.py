"""The main figures of a translator's report, a row each and a column a direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from training.corpora.parallel_files import FLORES, NEWSTEST
from training.translator.domains import TATOEBA, TOGETHER, DomainFigures
from training.translator.scores import Score
from training.translator.usable import LanguageUse

if TYPE_CHECKING:
    from training.translator.report import TranslatorFigures


def summary_rows(figures: TranslatorFigures) -> list[list[str]]:
    """Return the rows of the table that a report begins with, without directions that were not measured."""
    directions = [f"en-{each.language}" for each in figures.protected.languages]
    by_domain = [
        _domain_row(f"{FLORES}, chrF", figures.domains, FLORES, directions, "chrf"),
        _domain_row(f"{FLORES}, BLEU", figures.domains, FLORES, directions, "bleu"),
        _domain_row(f"{TOGETHER}, chrF", figures.domains, TOGETHER, directions, "chrf"),
        _domain_row(f"{NEWSTEST}, BLEU", figures.domains, NEWSTEST, directions, "bleu"),
        _domain_row(f"{TATOEBA} {figures.domains.tatoeba_split}, BLEU", figures.domains, TATOEBA, directions, "bleu"),
    ]
    return [*by_domain, *_other_rows(figures)]


def _other_rows(figures: TranslatorFigures) -> list[list[str]]:
    return [
        ["protected items kept", *(f"{each.kept} of {each.translations}" for each in figures.protected.languages)],
        ["short strings right", *(f"{each.right} of {each.strings}" for each in figures.short_strings.languages)],
        ["ALL CAPS, share of plain chrF", *(f"{each.capitals_ratio:.2f}" for each in figures.casing.languages)],
        ["Title Case, share of plain chrF", *(f"{each.title_ratio:.2f}" for each in figures.casing.languages)],
        [
            "long sentences with signs of omission or repetition",
            *(f"{each.either} of {each.sentences}" for each in figures.long_sentences.languages),
        ],
        [
            "long sentences with a clause missing or repeated, by a reader",
            *(f"{each.clauses} of {each.read}" for each in figures.long_sentences.languages),
        ],
        [
            "usable, of any confidence",
            *(f"{each.usable} of {each.judged}" if each.judged else "not judged" for each in figures.usable.languages),
        ],
        ["usable, of the pool's at or above the threshold", *map(_confident, figures.usable.languages)],
        [
            "small inputs right",
            *(
                f"{sum(kind.right for kind in each.kinds)} of {sum(kind.cases for kind in each.kinds)}"
                for each in figures.cases.languages
            ),
        ],
    ]


def _confident(use: LanguageUse) -> str:
    count = use.at_threshold
    return f"{count.usable} of {count.above}" if count is not None and count.above else "not judged"


def _domain_row(name: str, figures: DomainFigures, domain: str, directions: Sequence[str], measure: str) -> list[str]:
    scores: dict[str, Score] = {each.direction: each.score for each in figures.domains if each.domain == domain}
    return [name, *(f"{getattr(scores[each], measure):.2f}" if each in scores else "" for each in directions)]

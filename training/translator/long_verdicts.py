"""A reader's verdicts on translations of long sentences: what is missing of the source, and what is said twice.

A wrong word is neither. The file is ``long_sentences.tsv``: language, number, missing, repeated, English, translation,
where missing and repeated are ``no``, ``words`` (some words of a clause) or ``clause``, and empty without a verdict. A
verdict counts only while the translation is still the one that was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

FILE = "long_sentences.tsv"


class Extent(StrEnum):
    """Extent of what is missing or repeated in a sentence."""

    NOTHING = "no"
    WORDS = "words"
    CLAUSE = "clause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A reader's verdict on one translation."""

    missing: Extent
    repeated: Extent

    def has(self, extent: Extent) -> bool:
        """Whether so much is missing or repeated."""
        return extent in (self.missing, self.repeated)


Verdicts = Mapping[tuple[str, str], Verdict]  # by language and translation


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTranslation:
    """A line of the file."""

    language: str
    number: int
    source: str
    translation: str
    verdict: Verdict | None


def read_verdicts(path: Path | None) -> dict[tuple[str, str], Verdict]:
    """Return the verdicts of a file. Raises ValueError on one that is not no, words, clause or empty."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path else (), 1):
        language, _, missing, repeated, _, translation = line.split("\t")
        if not missing and not repeated:
            continue
        try:
            verdict = Verdict(missing=Extent(missing), repeated=Extent(repeated))
        except ValueError as error:
            raise ValueError(f"{path}: line {number}: {error}") from error
        found[language, translation] = verdict
    return found


def write_verdicts(translations: Iterable[ReadTranslation], path: Path) -> None:
    """Write a line for each translation, with its verdict if it has one."""
    lines = []
    for each in translations:
        verdict = each.verdict
        words = ("", "") if verdict is None else (verdict.missing, verdict.repeated)
        lines.append("\t".join((each.language, str(each.number), *words, each.source, each.translation)) + "\n")
    path.write_text("".join(lines), encoding="utf-8")

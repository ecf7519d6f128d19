"""Measure a translator's BLEU and chrF by domain and by length of the source.

    python -m training.translator.domains --url http://127.0.0.1:8123 --data-dir data
    python -m training.translator.domains --bundle models/en-xx --data-dir data --limit 50

Domains are Tatoeba, FLORES-101 dev, newstest2013 and slices held out of the training sources, each alone and the
business slices of a direction together. The first reference counts. ``--directions es-en`` measures a translator into
English on the same sets.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.corpora.parallel import Pair, PairSet, read_sets
from training.corpora.parallel_files import ENGLISH, FLORES, NEWSTEST, domain_of, is_business_slice, read_evaluation
from training.report import table
from training.translator.answers import Answer, Translate
from training.translator.options import System, finish, measurement_parser, open_system, output_folder
from training.translator.scores import LengthScore, Score, score_of, scores_by_length, signature

TATOEBA = "tatoeba"
TOGETHER = "business slices together"
GROUPS = {TATOEBA: "everyday", FLORES: "news and encyclopedia", NEWSTEST: "news and encyclopedia"}
BUSINESS, OTHER = "business", "other"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranslatedDomain:
    """A set of a domain and the answers to its sources."""

    domain: str  # "flores-dev"
    direction: str
    pairs: Sequence[Pair]
    answers: Sequence[Answer]

    @property
    def translations(self) -> list[str]:
        """The translations, empty where there is none."""
        return [answer.translation for answer in self.answers]

    @property
    def references(self) -> list[str]:
        """The first reference of each source."""
        return [pair.target for pair in self.pairs]

    @property
    def group(self) -> str:
        """The kind of text: everyday, news and encyclopedia, business or other."""
        return GROUPS.get(self.domain, BUSINESS if is_business_slice(self.domain) else OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainScore:
    """The figures of one domain in one direction."""

    direction: str
    domain: str
    score: Score
    unanswered: int  # texts without a translation
    incomplete: int  # texts whose translation a limit cut, where the service says so


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthScores:
    """The figures of one kind of text in one direction by length of the source."""

    direction: str
    group: str
    scores: Sequence[LengthScore]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainFigures:
    """All figures of a model, by domain and by length."""

    model: str
    signature: str  # of sacreBLEU
    tatoeba_split: str
    domains: Sequence[DomainScore]
    lengths: Sequence[LengthScores]


def read_domains(direction: str, *, split: str, data_dir: Path | None) -> list[PairSet]:
    """Return Tatoeba's split, FLORES, newstest and the slices of a direction. Raises CorpusError if there are none."""
    others = sorted(read_evaluation(direction, data_dir), key=lambda each: domain_of(each) not in GROUPS)
    return [*read_sets((TATOEBA,), (direction,), split, data_dir), *others]


def translate_domains(translate: Translate, sets: Sequence[PairSet], limit: int | None) -> Iterator[TranslatedDomain]:
    """Translate the first sources of each set, all without a limit, and print on standard error how long it took."""
    for each in sets:
        began_at = time.perf_counter()
        pairs = each.pairs[:limit]
        answers = translate([pair.source for pair in pairs], each.direction)
        print(f"{each.name}: {len(pairs)} texts, {time.perf_counter() - began_at:.1f} s", file=sys.stderr)
        yield TranslatedDomain(domain=domain_of(each), direction=each.direction, pairs=pairs, answers=answers)


def figures_of(translated: Sequence[TranslatedDomain], *, model: str, split: str) -> DomainFigures:
    """Return the figures of every domain, of the business slices together, and by length."""
    directions = dict.fromkeys(each.direction for each in translated)
    domains: list[DomainScore] = []
    lengths: list[LengthScores] = []
    for direction in directions:
        own = [each for each in translated if each.direction == direction]
        business = [each for each in own if each.group == BUSINESS]
        domains += [domain_score([each], each.domain) for each in own]
        domains += [domain_score(business, TOGETHER)] if business else []
        lengths += [_lengths([each for each in own if each.group == group]) for group in _groups(own)]
    return DomainFigures(
        model=model,
        signature=signature(),
        tatoeba_split=split,
        domains=domains,
        lengths=[each for each in lengths if each.scores],
    )


def domain_score(parts: Sequence[TranslatedDomain], domain: str) -> DomainScore:
    """Return the figures of sets of one direction, as one set."""
    answers = [answer for part in parts for answer in part.answers]
    references = [reference for part in parts for reference in part.references]
    return DomainScore(
        direction=parts[0].direction,
        domain=domain,
        score=score_of([answer.translation for answer in answers], references),
        unanswered=sum(not answer.translation for answer in answers),
        incomplete=sum(answer.complete is False for answer in answers),
    )


def as_markdown(figures: DomainFigures) -> list[str]:
    """Return the tables of all figures as lines of Markdown."""
    lines = [f"`{figures.signature}`", ""]
    for direction in dict.fromkeys(each.direction for each in figures.domains):
        rows = [_row(each) for each in figures.domains if each.direction == direction]
        lines += table([direction, "sentences", "BLEU", "chrF", "unanswered", "incomplete"], rows)
    rows = [
        [f"{part.direction}, {part.group}", f"{each.low} to {each.high}", *_cells(each.score)]
        for part in figures.lengths
        for each in part.scores
    ]
    return [*lines, *table(["by length", "words", "sentences", "BLEU", "chrF"], rows)]


def write_translations(translated: Sequence[TranslatedDomain], folder: Path) -> None:
    """Write files such as ``flores-dev.en-es.txt``, one translation a line."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in translated:
        lines = (" ".join(text.split()) + "\n" for text in each.translations)
        (folder / f"{each.domain}.{each.direction}.txt").write_text("".join(lines), encoding="utf-8")


def add_domain_flags(parser: argparse.ArgumentParser, *, split: str) -> None:
    """Add the flags that say which sets are measured."""
    parser.add_argument("--split", choices=("dev", "test"), default=split, help=f"of Tatoeba; default {split}")
    parser.add_argument("--directions", nargs="+", help="default: from English into --languages")


def measure_domains(system: System, arguments: argparse.Namespace) -> tuple[list[TranslatedDomain], DomainFigures]:
    """Translate the sets that the flags ask for; return the translations and their figures."""
    directions = arguments.directions or [f"{ENGLISH}-{language}" for language in arguments.languages]
    sets = [
        each
        for direction in directions
        for each in read_domains(direction, split=arguments.split, data_dir=arguments.data_dir)
    ]
    translated = list(translate_domains(system.translate, sets, arguments.limit))
    return translated, figures_of(translated, model=system.title, split=arguments.split)


def main() -> None:
    parser = measurement_parser(__doc__)
    add_domain_flags(parser, split="dev")
    arguments = parser.parse_args()
    system = open_system(arguments)
    translated, figures = measure_domains(system, arguments)
    write_translations(translated, output_folder(arguments, system) / "translations")
    finish("domains", figures, as_markdown(figures), arguments=arguments, system=system)


def _groups(parts: Sequence[TranslatedDomain]) -> list[str]:
    return list(dict.fromkeys(part.group for part in parts))


def _lengths(parts: Sequence[TranslatedDomain]) -> LengthScores:
    """Return the figures by length of sets of one direction and group."""
    pairs = [pair for part in parts for pair in part.pairs]
    translations = [text for part in parts for text in part.translations]
    scores = scores_by_length([pair.source for pair in pairs], translations, [pair.target for pair in pairs])
    return LengthScores(direction=parts[0].direction, group=parts[0].group, scores=scores)


def _row(each: DomainScore) -> list[str]:
    return [each.domain, *_cells(each.score), str(each.unanswered), str(each.incomplete)]


def _cells(score: Score) -> list[str]:
    return [str(score.sentences), f"{score.bleu:.2f}", f"{score.chrf:.2f}"]


if __name__ == "__main__":
    main()

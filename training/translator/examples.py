"""Ten translations of a domain, good and bad, chosen by their chrF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.translator.domains import TranslatedDomain
from training.translator.scores import sentence_chrf

NUM_BEST, NUM_MIDDLE, NUM_WORST = 3, 4, 3
FEWEST_WORDS = 5  # of a source; the best and the worst would all be shorter


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A translation beside its reference."""

    rank: str  # best, middle or worst
    source: str
    reference: str
    translation: str
    chrf: float
    confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainExamples:
    """The examples of a domain in one direction."""

    direction: str
    domain: str
    examples: Sequence[Example]


def examples_of(part: TranslatedDomain) -> DomainExamples:
    """Return the best, the middle and the worst translations of a domain; all of them if there are few."""
    scored = sorted(_scored(part), key=lambda each: -each.chrf)
    middle = max(NUM_BEST, len(scored) // 2 - NUM_MIDDLE // 2)
    places = {
        "best": range(NUM_BEST),
        "middle": range(middle, middle + NUM_MIDDLE),
        "worst": range(max(middle + NUM_MIDDLE, len(scored) - NUM_WORST), len(scored)),
    }
    chosen = [
        replace(scored[place], rank=rank) for rank, span in places.items() for place in span if place < len(scored)
    ]
    return DomainExamples(direction=part.direction, domain=part.domain, examples=chosen)


def as_markdown(parts: Sequence[DomainExamples]) -> list[str]:
    """Return the examples of all domains as lines of Markdown."""
    lines = []
    for part in parts:
        lines += [f"## {part.domain}, {part.direction}", ""]
        for each in part.examples:
            confidence = "" if each.confidence is None else f", confidence {each.confidence:.2f}"
            lines += [f"- {each.rank}, chrF {each.chrf:.0f}{confidence}"]
            lines += [f"  - {_one_line(text)}" for text in (each.source, each.translation, each.reference)]
        lines.append("")
    return lines


def _scored(part: TranslatedDomain) -> list[Example]:
    """Return every different translation of a source that is long enough, with its chrF."""
    found = {
        pair.source: Example(
            rank="",
            source=pair.source,
            reference=pair.target,
            translation=answer.translation,
            chrf=sentence_chrf(answer.translation, pair.target),
            confidence=answer.confidence,
        )
        for pair, answer in zip(part.pairs, part.answers, strict=True)
        if len(pair.source.split()) >= FEWEST_WORDS
    }
    return list(found.values())


def _one_line(text: str) -> str:
    return " ".join(text.split())

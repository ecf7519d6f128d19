"""English sentences with items that every translation must hold exactly as often, from a seeded generator.

The items and the English around them are in ``evaluation/protected.toml``. The generator knows the items that it
inserts, so that nothing depends on how the service recognises them.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from training.translator.options import EVALUATION

NUM_SENTENCES, MAX_ITEMS, SEED = 300, 4, 13
MARK, DIGIT = "ITEM", "§"
FRAMES: Mapping[int, Sequence[str]] = {
    1: ("Please {}.", "You should {}.", "Do not {}."),
    2: ("Please {} and {}.", "If you have time, {} and then {}.", "You can {} or {}.", "Before you {}, {}."),
    3: ("Please {}, {} and {}.", "First {}, then {}, and after that {}."),
    4: ("Please {}, {}, {} and {}.", "First {} and {}, then {} and {}."),
}
# A translation may have no more of these, outside of its items, than its source.
TELLING = re.compile(r"[\d{}<>%$€£@#&_`*\\|~^]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of item: its patterns, each with the parts that must be kept, and English sentences for it."""

    name: str
    patterns: Sequence[Sequence[str]]  # the item, then its parts that must be kept
    phrases: Sequence[str]
    sentences: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of a sentence: its text, and its parts that must be kept."""

    kind: str
    surface: str
    literals: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedSentence:
    """A generated sentence and its items."""

    text: str
    items: Sequence[Item]

    @property
    def literals(self) -> dict[str, str]:
        """Every part that must survive, with its kind."""
        return {literal: item.kind for item in self.items for literal in item.literals}

    def counts_in(self, text: str) -> Counter[str]:
        """Return how often each part stands in a text; parts that are not there are left out."""
        return Counter({literal: found for literal in self.literals if (found := occurrences(literal, text))})


def read_kinds() -> list[Kind]:
    """Return the kinds of ``evaluation/protected.toml``."""
    listing = tomllib.loads((EVALUATION / "protected.toml").read_text(encoding="utf-8"))
    return [
        Kind(
            name=name,
            patterns=[[item, item] if isinstance(item, str) else item for item in entry["items"]],
            phrases=entry["phrases"],
            sentences=entry["sentences"],
        )
        for name, entry in listing.items()
    ]


def generate(kinds: Sequence[Kind], *, number: int = NUM_SENTENCES, seed: int = SEED) -> list[ProtectedSentence]:
    """Return sentences of one to four items, each number of items and each kind about equally often."""
    rng = random.Random(seed)
    turns = _turns(kinds, rng)
    found: dict[str, ProtectedSentence] = {}
    while len(found) < number:
        wanted = 1 + len(found) % MAX_ITEMS
        sentence = _sentence([next(turns) for _ in range(wanted)], rng)
        if sentence is not None:
            found[sentence.text] = sentence
    return list(found.values())


def occurrences(literal: str, text: str) -> int:
    """Count a part in a text; one that begins or ends with a digit must not be inside a longer number."""
    before = r"(?<!\d)" if literal[0].isdigit() else ""
    after = r"(?!\d)" if literal[-1].isdigit() else ""
    return len(re.findall(before + re.escape(literal) + after, text))


def additions(sentence: ProtectedSentence, translation: str) -> str:
    """Return the digits and signs of a translation that exceed those of its source."""
    source, target = (Counter(TELLING.findall(_without(text, sentence))) for text in (sentence.text, translation))
    return "".join(sorted((target - source).elements()))


def _turns(kinds: Sequence[Kind], rng: random.Random) -> Iterator[Kind]:
    """Yield all kinds in one random order after another."""
    while True:
        yield from rng.sample(list(kinds), len(kinds))


def _sentence(kinds: Sequence[Kind], rng: random.Random) -> ProtectedSentence | None:
    """Return a sentence of an item of each kind, or None if the parts of one occur inside those of another."""
    items = [_item(kind, rng) for kind in kinds]
    if len(kinds) == 1 and rng.random() < 0.7:
        text = rng.choice(kinds[0].sentences).replace(MARK, items[0].surface)
    else:
        frame = rng.choice(FRAMES[len(kinds)])
        chosen = [rng.choice(kind.phrases).replace(MARK, item.surface) for kind, item in zip(kinds, items, strict=True)]
        pieces = iter(chosen)
        text = re.sub(re.escape("{}"), lambda _: next(pieces), frame).replace("..", ".")  # after "a.m."
    sentence = ProtectedSentence(text=text, items=items)
    return None if _overlaps(sentence) else sentence


def _item(kind: Kind, rng: random.Random) -> Item:
    """Return an item of a kind, its digits drawn; those of its parts are the same."""
    surface, *literals = rng.choice(kind.patterns)
    if DIGIT not in surface:
        return Item(kind=kind.name, surface=surface, literals=literals)
    written = re.sub(DIGIT, lambda _: str(rng.randint(1, 9)), surface)
    parts, start = [], 0
    for literal in literals:
        start = surface.index(literal, start)
        parts.append(written[start : start + len(literal)])
        start += len(literal)
    return Item(kind=kind.name, surface=written, literals=parts)


def _overlaps(sentence: ProtectedSentence) -> bool:
    """Tell whether a part is counted more often than it was inserted."""
    wanted = sum(item.surface.count(literal) for item in sentence.items for literal in dict.fromkeys(item.literals))
    literals = list(sentence.literals)
    inside = any(one != other and one in other for one in literals for other in literals)
    return inside or sum(sentence.counts_in(sentence.text).values()) != wanted


def _without(text: str, sentence: ProtectedSentence) -> str:
    for literal in sorted(sentence.literals, key=len, reverse=True):
        text = text.replace(literal, " ")
    return text

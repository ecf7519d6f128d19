"""Signs that a translation lost or repeated a part of its source: length, missing words, repeated runs of words."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from training.translator.options import EVALUATION, LANGUAGES
from training.translator.protected_items import occurrences

# Characters of a translation for each character of its English source: below the first figure a part is probably
# missing, above the second one is probably repeated. Good translations have 1.0 to 1.35.
SHORTEST, LONGEST = 0.8, 1.7
REPEATED_WORDS = 4  # a run of so many words that recurs more often than in the source
MISSING_PARTS = 2  # of the parts of a sentence; one alone may be said in words that are not listed
SHORT_STEM = 5  # letters; shorter ones are inside too many words
WORD = re.compile(r"\w+(?:['’-]\w+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LongSentence:
    """A sentence, the items that every translation must hold, and its parts by words of their translations."""

    kind: str
    text: str
    keep: Sequence[str]  # numbers and names
    parts: Mapping[str, Sequence[Sequence[str]]]  # by language: alternatives, the beginning or middle of words


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Signs of errors in one translation."""

    length_ratio: float
    missing_parts: Sequence[str]  # for each part its words, of which none was found
    missing_items: Sequence[str]  # numbers and names
    repeated: Sequence[str]
    incomplete: bool  # the service says that a limit cut it

    @property
    def omission(self) -> bool:
        """Whether a part of the source is probably missing."""
        lost = len(self.missing_parts) >= MISSING_PARTS or bool(self.missing_items)
        return lost or self.incomplete or self.length_ratio < SHORTEST

    @property
    def repetition(self) -> bool:
        """Whether a part is probably said more often than in the source."""
        return bool(self.repeated) or self.length_ratio > LONGEST


def read_long_sentences() -> list[LongSentence]:
    """Return the sentences of ``evaluation/long_sentences.toml``."""
    listing = tomllib.loads((EVALUATION / "long_sentences.toml").read_text(encoding="utf-8"))
    return [
        LongSentence(
            kind=entry["kind"], text=entry["en"], keep=entry.get("keep", []), parts=_parts_of(entry["clauses"])
        )
        for entry in listing["sentence"]
    ]


def signs_of(sentence: LongSentence, translation: str, language: str, *, complete: bool | None) -> Signs:
    """Return the signs of errors in a translation."""
    return Signs(
        length_ratio=round(len(translation) / len(sentence.text), 2),
        missing_parts=[
            "|".join(words)
            for words in sentence.parts[language]
            if not any(_is_in(word, translation) for word in words)
        ],
        missing_items=[item for item in sentence.keep if not occurrences(item, translation)],
        repeated=repeated_runs(translation, sentence.text),
        incomplete=complete is False,
    )


def repeated_runs(translation: str, source: str) -> list[str]:
    """Return runs of words that recur in a translation although its source repeats nothing similar.

    A run has four words, six if the source says three words twice, or is a word of four letters that follows itself.
    """
    words, source_words = (WORD.findall(text.casefold()) for text in (translation, source))
    size = REPEATED_WORDS + 2 if _recurring(source_words, REPEATED_WORDS - 1) else REPEATED_WORDS
    stammer = [one for one, other in pairwise(words) if one == other and len(one) >= 4]
    return [*_recurring(words, size), *dict.fromkeys(stammer)]


def _is_in(stem: str, text: str) -> bool:
    """Tell whether a stem begins a word, or is inside of one if it has five letters or more."""
    start = r"\b" if len(stem) < SHORT_STEM else ""
    return re.search(start + re.escape(stem), text, re.IGNORECASE) is not None


def _recurring(words: Sequence[str], size: int) -> list[str]:
    runs = Counter(tuple(words[start : start + size]) for start in range(len(words) - size + 1))
    return [" ".join(run) for run, count in runs.items() if count > 1]


def _parts_of(lines: Sequence[str]) -> dict[str, list[list[str]]]:
    """Read lines such as ``perro / Hund / chien|chienne``, in the order of the languages."""
    columns = [[part.split("|") for part in line.split(" / ")] for line in lines]
    return {language: [column[place] for column in columns] for place, language in enumerate(LANGUAGES)}

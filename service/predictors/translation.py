"""Values of translation: options, an encoded sentence and its segments, and the translation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from service.decoding.search import Floats, Hypothesis, Search
from service.text.casing import Casing
from service.text.placeholders.masking import Masked
from service.text.spans import Stretch

EXAMPLE_BEAM_SIZE = 4
MAX_SUBTAGS = 8  # of a language tag; further ones are not read


class LanguagePair(NamedTuple):
    """Source and target language."""

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslateOptions:
    """Options with which a sentence is translated."""

    pair: LanguagePair
    beam_size: int = EXAMPLE_BEAM_SIZE
    num_hypotheses: int = 1  # at most beam_size
    length_penalty: float = 1.0
    max_length: int | None = None  # pieces of a translation, its end included
    attention: bool = False
    truncate: bool = False  # leave out the rest of what is too long and cannot be translated in parts
    localize_numbers: bool = False  # write numbers as the target language does


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """Translation of one segment."""

    text: str
    hypothesis: Hypothesis | None = None  # None where nothing was searched: the text is the source's
    names: Sequence[str] = ()  # of each symbol in the hypothesis the item, empty for one too many


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """Stretch of a sentence that one search translates; one without a word to translate has no search."""

    part: Stretch  # of the sentence
    search: Search | None
    masked: Masked  # what the network reads, and what is put back into the translation
    casing: Casing = Casing.SENTENCE
    candidates: Sequence[Candidate] = ()  # its translations, best first; none until it has been searched


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedSentence:
    """A sentence on its way to the network, as one segment or, if it is long, in several."""

    text: str
    segments: Sequence[Segment]
    options: TranslateOptions
    truncated: bool = False
    degraded: bool = False  # answered, but a second search that it needed could not be made

    @property
    def searches(self) -> list[Search]:
        """Searches that are still to be made, in order."""
        return [each.search for each in self.segments if each.search is not None and not each.candidates]

    @property
    def num_tokens(self) -> int:
        """Number of tokens that the network reads, whether or not they have been searched."""
        return sum(len(each.search.ids) for each in self.segments if each.search is not None)

    @property
    def most_weights(self) -> int:
        """Most weights of its attention: target tokens x source tokens of the whole sentence."""
        searches = [each.search for each in self.segments]
        num_sources = sum(len(search.ids) if search else 1 for search in searches)
        return num_sources * sum(search.max_tokens if search else 1 for search in searches)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attention:
    """Attention of each piece of the translation to each piece of the source."""

    source_tokens: Sequence[str]
    target_tokens: Sequence[str]
    weights: Floats  # (target, source)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Translation:
    """Translation of one sentence."""

    text: str
    score: float  # log-probability / length ** length_penalty; 0 where nothing was searched
    attention: Attention | None = None
    confidence: float | None = None  # 0 to 1, of the best one if the bundle is calibrated
    complete: bool = True  # no limit cut it


def match_language(tag: str, known: Iterable[str]) -> str | None:
    """The known code that a tag asks for, or None: ``es`` for ``ES``, ``es-MX`` and ``es_mx``.

    This is the lookup of RFC 4647, section 3.4: case does not matter, and subtags are dropped from the end until a
    code is found, so that ``pt-BR`` is ``pt-br`` where that is known and ``pt`` where it is not.
    """
    codes = {_normalized(code): code for code in known}
    subtags = _normalized(tag).split("-", MAX_SUBTAGS)[:MAX_SUBTAGS]
    while subtags:
        code = codes.get("-".join(subtags))
        if code is not None:
            return code
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:  # a singleton only introduces what was dropped
            subtags.pop()
    return None


def _normalized(tag: str) -> str:
    return tag.strip().replace("_", "-").lower()

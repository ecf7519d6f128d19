"""Values of translation (options, an encoded sentence and its segments, the translation), and the encoder that makes
searches of sentences, with protected items hidden, and long sentences cut into parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from service.decoding.search import Floats, Hypothesis, Search
from service.errors import InputTooLongError
from service.text.casing import Casing, casing_of, sentence_case
from service.text.clauses import cut_clauses, halve_clauses
from service.text.placeholders.masking import Masked, has_words, mask
from service.text.spans import Stretch
from service.text.subwords import EOS_ID, Subwords

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
    """The known code that a tag asks for, or None: ``es`` for ``ES``, ``es-MX`` and ``es_mx``. This is the lookup of
    RFC 4647, section 3.4: case does not matter, and subtags are dropped from the end until a code is found, so that
    ``pt-BR`` is ``pt-br`` where that is known and ``pt`` where it is not."""
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


# Longer sentences are translated in parts, unless the manifest has another limit: pieces, tag and end aside.
SPLIT_TOKENS = 60
FEWEST_HALVED = 8  # pieces of a segment that may be translated again in halves
# One training pair in five thousand is longer; the cap is for translations that would never end.
CAP_FACTOR, CAP_ADDEND = 1.5, 8
NUM_SPECIAL = 2  # of a source: the target's tag and the end


class _Read(NamedTuple):
    """A text in the form that the network reads."""

    text: str
    masked: Masked
    casing: Casing
    ids: Sequence[int]  # with tag and end; none if there is no word to translate

    @property
    def num_pieces(self) -> int:
        return max(0, len(self.ids) - NUM_SPECIAL)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SentenceEncoder:
    """Makes the searches of sentences. May be called by several threads at once."""

    subwords: Subwords
    tags: Mapping[LanguagePair, int]  # the id that asks for a pair's target
    max_tokens: int  # of one search's source, tag and end included
    max_target_tokens: int  # of one search's translation, its end included
    split_tokens: int = SPLIT_TOKENS
    ranks_hypotheses: bool = False  # whether the best of several need not be the one with the best score

    def encode(self, sentence: str, options: TranslateOptions) -> EncodedSentence:
        """Encode a sentence in a pair that is served, in parts if it is long. Raises InputTooLongError if a part that
        cannot be cut is too long, unless the options are to truncate."""
        whole = self._read(sentence, options)
        most = min(self.split_tokens, self.max_tokens - NUM_SPECIAL)
        if whole.num_pieces <= most:
            return self._source(sentence, options, [(Stretch(0, len(sentence)), whole)])

        def num_pieces(text: str) -> int:
            return self._read(text, options, whole.casing).num_pieces

        parts = cut_clauses(sentence, length_of=num_pieces, max_tokens=most)
        reads = [self._read(part.within(sentence), options, whole.casing) for part in parts]
        return self._source(sentence, options, list(zip(parts, reads, strict=True)))

    def halved(self, source: EncodedSentence, faulty: Sequence[bool]) -> EncodedSentence | None:
        """Return the sentence with its faulty segments cut in two, still to be searched; None if none can be cut."""
        segments: list[Segment] = []
        for segment, is_faulty in zip(source.segments, faulty, strict=True):
            halves = self._halves(source, segment) if is_faulty else []
            segments += halves or [segment]
        if len(segments) == len(source.segments):
            return None
        return replace(source, segments=segments)

    def _halves(self, source: EncodedSentence, segment: Segment) -> list[Segment]:
        """Return the two halves of a segment; none if it is short or has no border."""
        if segment.search is None or len(segment.search.ids) < FEWEST_HALVED + NUM_SPECIAL:
            return []
        text, first = segment.part.within(source.text), segment.part.start
        halves = []
        for part in halve_clauses(text):
            read = self._read(part.within(text), source.options, segment.casing)
            halves.append(self._segment(part.moved(first), read, source.options))
        return halves

    def _read(self, text: str, options: TranslateOptions, casing: Casing | None = None) -> _Read:
        """Mask and encode a text; ``casing`` is that of the whole sentence, if the text is a part of one."""
        masked = mask(text, self.subwords.alphabet)
        if not has_words(masked.text):
            return _Read(text, masked, Casing.SENTENCE, ())
        if casing is None:
            casing = casing_of(masked.text) if options.pair.source == "en" else Casing.SENTENCE
        text_in_case = sentence_case(masked.text, casing, lambda word: len(self.subwords.encode(word)))
        masked = replace(masked, text=text_in_case)
        return _Read(text, masked, casing, [self.tags[options.pair], *self.subwords.encode(masked.text), EOS_ID])

    def _source(
        self, sentence: str, options: TranslateOptions, reads: Sequence[tuple[Stretch, _Read]]
    ) -> EncodedSentence:
        longest = max((len(read.ids) for _, read in reads), default=0)
        if longest > self.max_tokens and not options.truncate:
            raise InputTooLongError(
                f"a sentence with a part of {longest} tokens that cannot be cut; this model reads at most "
                f"{self.max_tokens}"
            )
        total = max(1, sum(read.num_pieces for _, read in reads))
        return EncodedSentence(
            text=sentence,
            segments=[self._segment(part, read, options, share=read.num_pieces / total) for part, read in reads],
            options=options,
            truncated=longest > self.max_tokens,
        )

    def _segment(self, part: Stretch, read: _Read, options: TranslateOptions, *, share: float = 1.0) -> Segment:
        """Make a segment; ``share`` is its share of the sentence's pieces, and of the length limit asked for."""
        if not read.ids:
            return Segment(part=part, search=None, masked=read.masked, candidates=[Candidate(text=read.text)])
        ids = list(read.ids)
        if len(ids) > self.max_tokens:
            ids = [*ids[: self.max_tokens - 1], EOS_ID]
        return Segment(
            part=part, search=self._search(ids, options, read.masked, share), masked=read.masked, casing=read.casing
        )

    def _search(self, ids: Sequence[int], options: TranslateOptions, masked: Masked, share: float) -> Search:
        """Make the search of a segment, for more hypotheses than are asked for in two cases. Where several are asked
        for, two that differ may be alike once the items are back; where items need a symbol, the best hypothesis may
        have lost it."""
        caps = [self.max_target_tokens, cap_of(len(ids))]
        if options.max_length is not None:
            caps.append(max(1, int(options.max_length * share)))
        needs_several = bool(masked.contents) or options.num_hypotheses > 1 or self.ranks_hypotheses
        return Search(
            ids=np.array(ids, np.int32),
            beam_size=options.beam_size,
            num_hypotheses=options.beam_size if needs_several else 1,
            length_penalty=options.length_penalty,
            max_tokens=min(caps),
        )


def cap_of(source_tokens: int) -> int:
    """Return the most tokens of a translation, its end included."""
    return int(CAP_FACTOR * source_tokens) + CAP_ADDEND

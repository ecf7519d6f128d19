"""Translator: sentences to searches, hypotheses to translations, and faulty translations searched once more."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from math import ceil

import msgspec
import numpy as np

from service.bundle import MANIFEST, SUBWORDS, Bundle, Manifest
from service.decoding.beam_search import encoded_at_once, search_all
from service.decoding.search import Hypotheses, StepInputs
from service.decoding.worker import TURN_SECONDS
from service.errors import InvalidRequestError
from service.predictors.confidence import ConfidenceModel
from service.predictors.graphs import TranslationGraphs
from service.predictors.predictor import Bounds, drift, full_batch, reading
from service.predictors.sentence_decoder import SentenceDecoder
from service.predictors.translation import (
    EXAMPLE_BEAM_SIZE,
    SPLIT_TOKENS,
    EncodedSentence,
    LanguagePair,
    SentenceEncoder,
    TranslateOptions,
    Translation,
    match_language,
)
from service.runtime.session import Session
from service.text.subwords import Subwords


class TranslateExample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence and its answer, with a beam of four, when the bundle was made."""

    text: str
    target: str
    translation: str
    score: float
    source: str = "en"


class Translator:
    """Translates sentences with a bundle; ``graphs`` is its network. May be called by several threads at once. Raises
    BundleError if manifest or subwords are not those of a translator."""

    example_decoder = msgspec.json.Decoder(list[TranslateExample])

    def __init__(self, bundle: Bundle, *, encoder: Session, step: Session) -> None:
        manifest, path = bundle.manifest, bundle.path(SUBWORDS)
        with reading(path, "the subwords of a translator"):
            subwords = Subwords.load(path)
        with reading(bundle.path(MANIFEST), "the manifest of a translator"):
            self.sentence_encoder = _encoder_of(manifest, subwords)
            confidence = manifest.confidence and ConfidenceModel.read(manifest.confidence)
        self.sentence_decoder = SentenceDecoder(
            subwords=subwords,
            tags=frozenset(self.sentence_encoder.tags.values()),
            confidence=confidence or None,
            coverage_weight=manifest.coverage_weight,
        )
        self.graphs = TranslationGraphs(encoder=encoder, step=step, subwords=subwords)
        self.max_tokens = self.sentence_encoder.max_tokens  # of one search's source: pieces, target's tag and end
        self.max_target_tokens = self.sentence_encoder.max_target_tokens  # of one translation: pieces and the end
        self.pairs = tuple(self.sentence_encoder.tags)

    def pair_for(self, source: str, target: str) -> LanguagePair | None:
        """Return the served pair of two language tags such as ``en`` and ``es-MX``, if there is one."""
        source_code = match_language(source, {pair.source for pair in self.pairs})
        target_code = match_language(target, {pair.target for pair in self.pairs if pair.source == source_code})
        return LanguagePair(source_code, target_code) if source_code and target_code else None

    def encode(self, sentence: str, options: TranslateOptions) -> EncodedSentence:
        """Encode a sentence in a pair that is served. Raises InputTooLongError, unless the options are to truncate."""
        return self.sentence_encoder.encode(sentence, options)

    def halved(self, source: EncodedSentence) -> EncodedSentence | None:
        """Return the answered sentence with its faulty parts cut in halves, to be searched again; None if nothing is to
        be.

        A part is faulty if its translation loops, omits something or was cut at a limit. Where the caller limits the
        length, that is the limit for one translation, and nothing is searched again.
        """
        if source.options.max_length is not None:
            return None
        faulty = self.sentence_decoder.faulty(source)
        return self.sentence_encoder.halved(source, faulty) if any(faulty) else None

    def decode(self, source: EncodedSentence) -> list[Translation]:
        """Return the translations that were asked for of an answered sentence, best first, no two alike; at least
        one."""
        return self.sentence_decoder.translations(source)

    def translate(self, sentences: Sequence[str], options: TranslateOptions) -> list[list[Translation]]:
        """Translate on this thread, without a queue: for self-tests and evaluation. Raises InputTooLongError."""
        return self.decode_all([self.encode(sentence, options) for sentence in sentences])

    def decode_all(self, sources: Sequence[EncodedSentence]) -> list[list[Translation]]:
        """Return the translations of each source, in order."""
        return [self.decode(each) for each in self.answer_all(sources)]

    def answer_all(self, sources: Sequence[EncodedSentence]) -> list[EncodedSentence]:
        """Answer the sources as the service does it: those whose translation has faults are searched twice."""
        found = self.answered_all(sources, self._search(sources))
        halved = self.halved_all(found)
        return self.better_all(found, halved, self._search(halved.values()))

    def answered_all(self, sources: Iterable[EncodedSentence], answers: Iterable[Hypotheses]) -> list[EncodedSentence]:
        """Return the sentences with their answers; ``answers`` are those of all their searches, in order."""
        remaining = iter(answers)
        return [self.sentence_decoder.answered(each, list(islice(remaining, len(each.searches)))) for each in sources]

    def halved_all(self, found: Sequence[EncodedSentence]) -> dict[int, EncodedSentence]:
        """Return by place the answered sentences that are to be searched again, in smaller parts."""
        return {place: again for place, each in enumerate(found) if (again := self.halved(each)) is not None}

    def better_all(
        self, found: Sequence[EncodedSentence], halved: Mapping[int, EncodedSentence], answers: Iterable[Hypotheses]
    ) -> list[EncodedSentence]:
        """Return the sentences, each with the better answer; ``answers`` are those of the second searches, in order."""
        best = list(found)
        for place, second in zip(halved, self.answered_all(halved.values(), answers), strict=True):
            best[place] = self.sentence_decoder.better(found[place], second)
        return best

    def _search(self, sources: Iterable[EncodedSentence]) -> list[Hypotheses]:
        return search_all(self.graphs, [search for each in sources for search in each.searches])

    def answer(self, examples: Sequence[TranslateExample]) -> list[Translation]:
        """Answer examples together. Raises InvalidRequestError."""
        return [translations[0] for translations in self.decode_all(list(map(self._source_of, examples)))]

    def _source_of(self, example: TranslateExample) -> EncodedSentence:
        pair = LanguagePair(example.source, example.target)
        if pair not in self.sentence_encoder.tags:
            raise InvalidRequestError(f"an example from {pair.source} to {pair.target}, which it does not translate")
        return self.encode(example.text, TranslateOptions(pair=pair))

    def difference(self, example: TranslateExample, answer: Translation, max_drift: float) -> str:
        """Describe how the answer differs from the example's; empty if it does not."""
        if answer.text != example.translation:
            return f"translation is {answer.text!r}, expected {example.translation!r}"
        return drift([example.score], [answer.score], max_drift)

    def warm_up(self, bounds: Bounds) -> float:
        """Encode the largest batch there will be, and make the largest step of its hypotheses. The longest turn is that
        of a worker which, at the end of its time, admits as many sentences as it has rows, of the longest, and makes
        one more step."""
        num_rows, num_sources = bounds.decoder_rows, encoded_at_once(self.max_tokens)
        batch = full_batch(num_sources, self.max_tokens)
        began_at = time.perf_counter()
        encoded = self.graphs.encode(batch)
        encoded_at = time.perf_counter()
        sources = np.arange(num_rows, dtype=np.int32) % num_sources
        self.graphs.step(
            StepInputs(
                tokens=np.full(num_rows, self.graphs.bos_id, np.int32),
                state=encoded.state[sources],
                sources=sources,
                lengths=batch.lengths,
                memories=encoded.memories,
                num_candidates=4 * EXAMPLE_BEAM_SIZE,
            )
        )
        step_seconds = time.perf_counter() - encoded_at
        return TURN_SECONDS + ceil(num_rows / num_sources) * (encoded_at - began_at) + step_seconds


def _encoder_of(manifest: Manifest, subwords: Subwords) -> SentenceEncoder:
    """Make the sentence encoder. Raises KeyError if a limit or tag is missing, ValueError without pairs."""
    tags = {LanguagePair(each.source, each.target): subwords.tag(each.tag) for each in manifest.pairs}
    if not tags:
        raise ValueError("it has no pairs")
    return SentenceEncoder(
        subwords=subwords,
        tags=tags,
        max_tokens=manifest.limits["max_tokens"],
        max_target_tokens=manifest.limits["max_target_tokens"],
        split_tokens=manifest.limits.get("split_tokens", SPLIT_TOKENS),
        ranks_hypotheses=manifest.coverage_weight > 0,
    )

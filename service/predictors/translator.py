"""Translating: a sentence to subwords, a search, and its pieces to text again; what is only copied goes round it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from math import ceil
from typing import NamedTuple

import msgspec
import numpy as np

from service.bundle import MANIFEST, SUBWORDS, Bundle
from service.errors import BundleError, InputTooLongError, InvalidRequestError
from service.predictors.graphs import TranslationGraphs
from service.predictors.predictor import Bounds, drift, largest_batches
from service.predictors.translation import EXAMPLE_BEAM_SIZE, Attention, Pair, Source, Translation, Wish
from service.runtime.session import Session
from service.scheduling.beams import MAX_ENCODED_CELLS
from service.scheduling.direct import search_all
from service.scheduling.prediction import Speed, WarmUp
from service.scheduling.search import Hypotheses, Hypothesis, Search, StepInputs
from service.scheduling.turns import TURN_SECONDS
from service.text.batch import Batch, Ids
from service.text.copying import assign, has_words, mask, restore
from service.text.subwords import EOS_ID, Subwords

# One training pair in five thousand is longer; the cap is for translations that would never end.
CAP_FACTOR, CAP_ADDEND = 1.5, 8


class TranslateExample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence and the answer it had, with a beam of four, when the bundle was made."""

    text: str
    target: str
    translation: str
    score: float
    source: str = "en"


class _Timed(NamedTuple):
    """Seconds of an encoder run and of a step."""

    encoding: float
    step: float


class Translator:
    """A translator's bundle at work; ``graphs`` is its network. May be called by several threads at once.

    Raises BundleError if manifest or subwords are not those of a translator.
    """

    example_decoder = msgspec.json.Decoder(list[TranslateExample])

    def __init__(self, bundle: Bundle, *, encoder: Session, step: Session) -> None:
        manifest, path = bundle.manifest, bundle.path(SUBWORDS)
        try:
            self._subwords = Subwords.load(path)
        except ValueError as error:
            raise BundleError(f"{path}: not the subwords of a translator ({error})") from error
        try:
            self._max_tokens = manifest.limits["max_tokens"]
            self._max_target_tokens = manifest.limits["max_target_tokens"]
            self._tags = {Pair(each.source, each.target): self._subwords.tag(each.tag) for each in manifest.pairs}
            if not self._tags:
                raise ValueError("it has no pairs")
        except (ValueError, KeyError) as error:
            raise BundleError(f"{bundle.path(MANIFEST)}: not the manifest of a translator ({error})") from error
        self.graphs = TranslationGraphs(encoder=encoder, step=step, subwords=self._subwords)

    @property
    def max_tokens(self) -> int:
        """Of one sentence: its pieces, the target's tag and the end."""
        return self._max_tokens

    @property
    def max_target_tokens(self) -> int:
        """Of one translation: its pieces and the end."""
        return self._max_target_tokens

    @property
    def pairs(self) -> Sequence[Pair]:
        """What it translates."""
        return tuple(self._tags)

    def encode(self, sentence: str, wish: Wish) -> Source:
        """Of one sentence, in a pair that is served. Raises InputTooLongError, unless the wish is to truncate."""
        masked = mask(sentence, self._subwords.alphabet)
        if not has_words(masked.text):
            return Source(text=sentence, search=None, wish=wish)
        ids = [self._tags[wish.pair], *self._subwords.encode(masked.text), EOS_ID]
        truncated = len(ids) > self._max_tokens
        if truncated and not wish.truncate:
            raise InputTooLongError(f"a sentence of {len(ids)} tokens; this model reads at most {self._max_tokens}")
        if truncated:
            ids = [*ids[: self._max_tokens - 1], EOS_ID]
        return Source(
            text=sentence,
            search=self._search(np.array(ids, np.int32), wish, copies=bool(masked.originals)),
            originals=masked.originals,
            wish=wish,
            truncated=truncated,
        )

    def _search(self, ids: Ids, wish: Wish, *, copies: bool) -> Search:
        """More than is asked for where several are, for two that differ may be alike once the copies are back; and if
        something is to be copied, for the best may have lost it."""
        caps = (self._max_target_tokens, cap_of(len(ids)), wish.max_length)
        return Search(
            ids=ids,
            beam_size=wish.beam_size,
            num_hypotheses=wish.beam_size if copies or wish.num_hypotheses > 1 else 1,
            length_penalty=wish.length_penalty,
            max_tokens=min(cap for cap in caps if cap is not None),
            wants_attention=copies or wish.attention,
        )

    def decode(self, source: Source, hypotheses: Hypotheses) -> list[Translation]:
        """The translations that were asked for, best first, no two alike; at least one. Those that lose less of what is
        to be copied come before those that lose more. ``hypotheses`` are those of the source's search, none if it has
        none."""
        if source.search is None:
            return [Translation(text=source.text, score=0.0, attention=_itself(source))]
        found: dict[str, Translation] = {}
        for hypothesis in sorted(hypotheses, key=partial(self._num_lost, source)):  # else by score, as they are
            translation = self._translation(source, source.search.ids, hypothesis)
            found.setdefault(translation.text, translation)
        return list(found.values())[: source.wish.num_hypotheses]

    def _num_lost(self, source: Source, hypothesis: Hypothesis) -> int:
        """How many of what is to be copied has no place in a hypothesis."""
        return max(0, len(source.originals) - hypothesis.ids.count(self._subwords.placeholder_id))

    def _translation(self, source: Source, ids: Ids, hypothesis: Hypothesis) -> Translation:
        text = self._subwords.decode(hypothesis.ids)
        if hypothesis.attention is None:
            return Translation(text=restore(text, ()), score=hypothesis.score)
        placeholder = self._subwords.placeholder_id
        columns = np.flatnonzero(ids == placeholder)
        rows = np.flatnonzero(np.array(hypothesis.ids, np.int32) == placeholder)
        chosen = assign(hypothesis.attention[np.ix_(rows, columns)])
        copies = ["" if place is None else source.originals[place] for place in chosen]
        return Translation(
            text=restore(text, copies),
            score=hypothesis.score,
            attention=Attention(
                source_tokens=self._named(ids.tolist(), source.originals),
                target_tokens=self._named(hypothesis.ids, copies),
                weights=hypothesis.attention,
            )
            if source.wish.attention
            else None,
        )

    def _named(self, ids: Sequence[int], copies: Sequence[str]) -> list[str]:
        """Pieces, each placeholder under the name of what it stands for."""
        placeholder, remaining = self._subwords.placeholder_id, iter(copies)
        names = self._subwords.pieces(ids)
        return [next(remaining) if each == placeholder else name for each, name in zip(ids, names, strict=True)]

    def translate(self, sentences: Sequence[str], wish: Wish) -> list[list[Translation]]:
        """Without a queue, on this thread: for proofs and evaluation. Raises InputTooLongError."""
        return self.decode_all([self.encode(sentence, wish) for sentence in sentences])

    def decode_all(self, sources: Sequence[Source]) -> list[list[Translation]]:
        """The translations of each, in order."""
        answers = iter(search_all(self.graphs, [each.search for each in sources if each.search is not None]))
        return [self.decode(each, next(answers) if each.search is not None else ()) for each in sources]

    def answer(self, examples: Sequence[TranslateExample]) -> list[Translation]:
        """Raises InvalidRequestError."""
        return [translations[0] for translations in self.decode_all(list(map(self._source_of, examples)))]

    def _source_of(self, example: TranslateExample) -> Source:
        pair = Pair(example.source, example.target)
        if pair not in self._tags:
            raise InvalidRequestError(f"an example from {pair.source} to {pair.target}, which it does not translate")
        return self.encode(example.text, Wish(pair=pair))

    def difference(self, example: TranslateExample, answer: Translation, max_drift: float) -> str:
        """What of the answer is not the example's, in words; empty if nothing is."""
        if answer.text != example.translation:
            return f"translation is {answer.text!r}, expected {example.translation!r}"
        return drift([example.score], [answer.score], max_drift)

    def warm_up(self, bounds: Bounds) -> WarmUp:
        """Encode the largest batches there will be, and make the largest step of hypotheses of each. The longest turn
        is over when a table that came to the end of its time has taken in as many sentences as it has rows, of the
        longest, and made one more step."""
        batches = largest_batches(cells=bounds.cells, max_tokens=self._max_tokens)
        many, one = (self._step_once(batch, bounds.decoder_rows) for batch in batches)
        most_encoded = ceil(bounds.decoder_rows * self._max_tokens / MAX_ENCODED_CELLS)
        longest = TURN_SECONDS + most_encoded * many.encoding + max(many.step, one.step)
        return WarmUp(short=Speed(tokens=bounds.decoder_rows, seconds=many.step), longest_seconds=longest)

    def _step_once(self, batch: Batch, num_rows: int) -> _Timed:
        began_at = time.perf_counter()
        encoded = self.graphs.encode(batch)
        encoded_at = time.perf_counter()
        sources = np.arange(num_rows, dtype=np.int32) % len(batch.lengths)
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
        return _Timed(encoding=encoded_at - began_at, step=time.perf_counter() - encoded_at)


def cap_of(source_tokens: int) -> int:
    """Most tokens of a translation, its end included."""
    return int(CAP_FACTOR * source_tokens) + CAP_ADDEND


def _itself(source: Source) -> Attention | None:
    """What is copied whole looks at itself."""
    if not source.wish.attention:
        return None
    return Attention(source_tokens=[source.text], target_tokens=[source.text], weights=np.ones((1, 1), np.float32))

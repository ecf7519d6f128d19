"""Tagger: words to ids, a run, and logits to spans and tags, the best sequence among the legal ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from service.bundle import MANIFEST, VOCABULARIES, Bundle
from service.errors import InvalidRequestError
from service.predictors.predictor import Bounds, drift, largest_batches, longest_run, reading, too_long
from service.runtime.session import Session
from service.text.pipeline import Batch, Encoding, Ids, WordEncoder, load_vocabularies, pad
from service.text.spans import OUTSIDE, legal_transitions, spans_of
from service.text.tokenizer import Sentence, join_words

Scores = npt.NDArray[np.float32]
TagIds = npt.NDArray[np.intp]
Legal = npt.NDArray[np.bool_]  # (tag + 1, tag + 1), the last row is the begin, the last column the end


class ScoredSpan(NamedTuple):
    """Span of tokens ``start`` to ``end`` (exclusive) with a label; ``score`` is the mean probability of their tags."""

    label: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaggedRow:
    """Answer to one sentence: a tag for each token in each column. ``entity`` is BIOES and always legal."""

    upos: list[str]
    xpos: list[str]
    entity: list[str]
    spans: list[ScoredSpan]


class TagExample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens and their answer when the bundle was made; ``scores`` are those of the spans, in order."""

    tokens: list[str]
    upos: list[str]
    xpos: list[str]
    entity: list[str]
    scores: list[float]


class Tagger:
    """Tags sentences with a bundle. ``run`` may be called by several threads at once.

    The session's graph takes ``ids`` (batch, time, feature) and ``lengths`` (batch,), and gives ``upos`` and ``xpos``
    (batch, time, tag) logits and ``entity`` (batch, time, tag) log-probabilities. Raises BundleError if manifest or
    vocabularies are not those of a tagger.
    """

    example_decoder = msgspec.json.Decoder(list[TagExample])

    def __init__(self, bundle: Bundle, session: Session) -> None:
        manifest = bundle.manifest
        with reading(bundle.path(MANIFEST), "the manifest of a tagger"):
            num_characters = manifest.features["num_characters"]
            self.max_tokens = manifest.limits["max_tokens"]  # of one sentence
            self._upos, self._xpos, self._entity = (manifest.labels[name] for name in ("upos", "xpos", "entity"))
            self._outside = self._entity.index(OUTSIDE)
        path = bundle.path(VOCABULARIES)
        with reading(path, "the vocabularies of a tagger"):
            self._encoder = WordEncoder(load_vocabularies(path), num_characters=num_characters)
        self._session = session
        self._legal = legal_transitions(self._entity)

    def encode(self, sentence: Sentence) -> Encoding:
        """Encode one sentence. Raises InputTooLongError."""
        if len(sentence.words) > self.max_tokens:
            raise too_long("sentence", len(sentence), self.max_tokens)
        return Encoding(sentence, self._encoder.encode(sentence.words))

    def shorten(self, sentence: Sentence) -> Sentence:
        """Return the beginning of a sentence that is too long for :meth:`encode`; any other sentence as it is."""
        if len(sentence) <= self.max_tokens:
            return sentence
        end = self.max_tokens
        return Sentence(sentence.words[:end], sentence.starts[:end], sentence.ends[:end])

    def answer(self, examples: Sequence[TagExample]) -> list[TaggedRow]:
        """Answer examples in one batch. Raises InvalidRequestError."""
        return self.run(pad([self.row_of(example) for example in examples]))

    def row_of(self, example: TagExample) -> Ids:
        """Encode an example. Raises InvalidRequestError."""
        if not example.tokens:
            raise InvalidRequestError("an example without tokens")
        return self.encode(join_words(example.tokens)[1]).ids

    def difference(self, example: TagExample, answer: TaggedRow, max_drift: float) -> str:
        """Describe how the answer differs from the example's; empty if it does not."""
        columns = (
            ("upos", example.upos, answer.upos),
            ("xpos", example.xpos, answer.xpos),
            ("entity", example.entity, answer.entity),
        )
        for name, expected, found in columns:
            if expected != found:
                return f"{name} is {' '.join(found)}, expected {' '.join(expected)}"
        return drift(example.scores, [span.score for span in answer.spans], max_drift)

    def warm_up(self, bounds: Bounds) -> float:
        """Run the largest batches there will be: of so many cells, and of one sentence as long as the limit."""
        features = (self._encoder.num_features,)
        batches = largest_batches(cells=bounds.cells, max_tokens=self.max_tokens, features=features)
        return longest_run(self.run, batches)

    def run(self, batch: Batch) -> list[TaggedRow]:
        """Answer each row as if it had been run alone."""
        logits = self._session.run({"ids": batch.ids, "lengths": batch.lengths})
        upos = logits["upos"].argmax(axis=2)
        xpos = logits["xpos"].argmax(axis=2)
        entity = decode_legal(logits["entity"], batch.lengths, self._legal)
        columns = zip(batch.lengths.tolist(), upos, xpos, entity, logits["entity"], strict=True)
        return [self._row(n, u[:n], x[:n], e[:n], scores) for n, u, x, e, scores in columns]

    def _row(
        self,
        length: int,
        upos: TagIds,
        xpos: TagIds,
        entity: TagIds,
        scores: Scores,
    ) -> TaggedRow:
        ids = entity.tolist()
        outside = ids.count(self._outside) == length
        tags = [OUTSIDE] * length if outside else [self._entity[i] for i in ids]
        return TaggedRow(
            upos=list(map(self._upos.__getitem__, upos.tolist())),
            xpos=list(map(self._xpos.__getitem__, xpos.tolist())),
            entity=tags,
            spans=[] if outside else score_spans(tags, scores[np.arange(length), entity]),
        )


def score_spans(tags: Sequence[str], log_probabilities: Scores) -> list[ScoredSpan]:
    """Return the spans of a sentence; ``log_probabilities`` (time,) are those of its tags."""
    probabilities = np.exp(log_probabilities)
    return [
        ScoredSpan(label, start, end, float(probabilities[start:end].mean())) for label, start, end in spans_of(tags)
    ]


def best_legal_path(scores: Scores, legal: Legal) -> TagIds:
    """Return the legal tag sequence of highest summed score; ``scores`` is (time, tag). Viterbi (1967)."""
    num_tags = scores.shape[1]
    barrier = np.where(legal, np.float32(0), np.float32(-np.inf))
    between = barrier[:num_tags, :num_tags]
    total = scores[0] + barrier[num_tags, :num_tags]
    parents = np.zeros(scores.shape, np.intp)
    for step in range(1, len(scores)):
        candidates = total[:, None] + between  # (from, to)
        parents[step] = candidates.argmax(axis=0)
        total = candidates.max(axis=0) + scores[step]
    path = np.empty(len(scores), np.intp)
    path[-1] = (total + barrier[:num_tags, num_tags]).argmax()
    for step in range(len(scores) - 1, 0, -1):
        path[step - 1] = parents[step, path[step]]
    return path


def decode_legal(scores: Scores, lengths: npt.NDArray[np.int32], legal: Legal) -> TagIds:
    """Return the best legal paths of a batch, (batch, time); ``scores`` is (batch, time, tag). Where the best tag of
    each step happens to make a legal sequence it is the best legal sequence, and nearly all are: only the other rows
    pay for Viterbi. Values behind a row's length are arbitrary."""
    edge = scores.shape[2]
    paths: TagIds = scores.argmax(axis=2)
    rows = np.arange(len(paths))
    fine = legal[paths[:, :-1], paths[:, 1:]]
    fine |= np.arange(1, paths.shape[1]) >= lengths[:, None]
    good = fine.all(axis=1) & legal[edge, paths[:, 0]] & legal[paths[rows, lengths - 1], edge]
    for row in np.flatnonzero(~good):
        length = lengths[row]
        paths[row, :length] = best_legal_path(scores[row, :length], legal)
    return paths

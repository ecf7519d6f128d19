"""Classifying: a text to ids, a run, and log-probabilities to a label and everything's score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from service.bundle import MANIFEST, VOCABULARIES, Bundle
from service.errors import BundleError, InputTooLongError, InvalidRequestError
from service.predictors.predictor import Bounds, drift, largest_batches, timed_runs
from service.runtime.session import Session
from service.scheduling.prediction import WarmUp
from service.text.batch import Batch, Ids, pad
from service.text.pipeline import TextEncoder
from service.text.tokenizer import words_of
from service.text.vocabulary import load_vocabularies


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextEncoding:
    """What the network reads of a text."""

    ids: Ids  # (time,)
    truncated: bool = False  # whether it is the beginning only

    @property
    def rows(self) -> tuple[Ids]:
        """The one row."""
        return (self.ids,)

    @property
    def num_tokens(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifiedRow:
    """One text's answer. ``scores`` are the probabilities of all ``labels``, in their order; they sum to 1."""

    label: str
    score: float
    labels: tuple[str, ...]
    scores: tuple[float, ...]


class ClassifyExample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text and the answer it had when the bundle was made."""

    text: str
    label: str
    scores: dict[str, float]


class Classifier:
    """A classifier's bundle at work. ``run`` may be called by several threads at once.

    The session's graph takes ``ids`` (batch, time) and ``lengths`` (batch,), and gives ``log_probabilities``
    (batch, label), calibrated. Raises BundleError if manifest or vocabularies are not those of a classifier.
    """

    example_decoder = msgspec.json.Decoder(list[ClassifyExample])

    def __init__(self, bundle: Bundle, session: Session) -> None:
        manifest = bundle.manifest
        try:
            self._labels = manifest.labels["label"]
            self._max_tokens = manifest.limits["max_tokens"]
            if len(self._labels) < 2 or len(set(self._labels)) < len(self._labels):
                raise ValueError("labels are two or more, and different")
        except (ValueError, KeyError) as error:
            raise BundleError(f"{bundle.path(MANIFEST)}: not the manifest of a classifier ({error})") from error
        path = bundle.path(VOCABULARIES)
        try:
            self._encoder = TextEncoder(load_vocabularies(path)["words"])
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{path}: not the vocabularies of a classifier ({error})") from error
        self._session = session

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of a row's scores."""
        return self._labels

    @property
    def max_tokens(self) -> int:
        """Ids of one text; a word may be several."""
        return self._max_tokens

    def encode(self, text: str) -> TextEncoding:
        """The row of one text. Raises InputTooLongError, and InvalidRequestError if there is no word in it."""
        ids = self._ids_of(text)
        if len(ids) > self._max_tokens:
            raise InputTooLongError(f"a text of {len(ids)} tokens; this model reads at most {self._max_tokens}")
        return TextEncoding(ids=ids)

    def encode_beginning(self, text: str) -> TextEncoding:
        """The row of as much of a text as the limit allows. Raises InvalidRequestError if there is no word in it."""
        ids = self._ids_of(text)
        return TextEncoding(ids=ids[: self._max_tokens], truncated=len(ids) > self._max_tokens)

    def answer(self, examples: Sequence[ClassifyExample]) -> list[ClassifiedRow]:
        """Raises InvalidRequestError."""
        return self.run(pad([self.row_of(example) for example in examples]))

    def row_of(self, example: ClassifyExample) -> Ids:
        """Raises InvalidRequestError."""
        return self.encode(example.text).ids

    def difference(self, example: ClassifyExample, answer: ClassifiedRow, max_drift: float) -> str:
        """What of the answer is not the example's, in words; empty if nothing is."""
        if answer.label != example.label:
            return f"label is {answer.label}, expected {example.label}"
        if set(example.scores) != set(self._labels):
            return f"labels are {', '.join(self._labels)}, expected {', '.join(example.scores)}"
        return drift([example.scores[label] for label in self._labels], answer.scores, max_drift)

    def warm_up(self, bounds: Bounds) -> WarmUp:
        """Run the largest batches there will be: of so many cells, and of one text as long as the limit."""
        return timed_runs(self.run, largest_batches(cells=bounds.cells, max_tokens=self._max_tokens))

    def run(self, batch: Batch) -> list[ClassifiedRow]:
        """One answer a row, each as if it had come alone."""
        logits = self._session.run({"ids": batch.ids, "lengths": batch.lengths})["log_probabilities"]
        probabilities = np.exp(logits.astype(np.float64))  # (batch, label)
        probabilities /= probabilities.sum(axis=1, keepdims=True)  # float32 leaves a few 1e-7
        best = probabilities.argmax(axis=1).tolist()
        return [
            ClassifiedRow(label=self._labels[i], score=scores[i], labels=self._labels, scores=tuple(scores))
            for i, scores in zip(best, probabilities.tolist(), strict=True)
        ]

    def _ids_of(self, text: str) -> Ids:
        words = words_of(text)
        if not words:
            raise InvalidRequestError("holds no word")
        return self._encoder.encode(words)

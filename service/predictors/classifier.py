"""Classifier: texts to ids, a run, and log-probabilities to labels and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from service.bundle import MANIFEST, VOCABULARIES, Bundle, Manifest
from service.errors import NoWordsError
from service.predictors.predictor import Bounds, drift, largest_batches, longest_run, reading, too_long
from service.runtime.session import Session
from service.text.pipeline import Batch, Ids, TextEncoder, load_vocabularies, pad
from service.text.tokenizer import words_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextEncoding:
    """Ids of a text, as the network reads them."""

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
    """Answer to one text. ``scores`` are the probabilities of all ``labels``, in their order; they sum to 1 unless the
    classifier is multi-label."""

    label: str  # the likeliest
    score: float
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    chosen: tuple[str, ...] | None = None  # of a multi-label classifier: those at or above their thresholds, best first
    group: str | UnsetType | None = UNSET  # None where no group is as likely as a label that belongs to none


class ClassifyExample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text and its answer when the bundle was made."""

    text: str
    label: str
    scores: dict[str, float]
    labels: list[str] | None = None  # of a multi-label classifier


class Classifier:
    """Classifies texts with a bundle. ``run`` may be called by several threads at once.

    The session's graph takes ``ids`` (batch, time) and ``lengths`` (batch,), and gives ``log_probabilities`` (batch,
    label), calibrated: of a multi-label classifier the logarithms of sigmoids, one probability a label; else those of a
    distribution over the labels. Raises BundleError if manifest or vocabularies are not those of a classifier.
    """

    example_decoder = msgspec.json.Decoder(list[ClassifyExample])

    def __init__(self, bundle: Bundle, session: Session) -> None:
        manifest = bundle.manifest
        with reading(bundle.path(MANIFEST), "the manifest of a classifier"):
            self.labels = manifest.labels["label"]  # in the order of a row's scores
            self.max_tokens = manifest.limits["max_tokens"]  # ids of one text; a word may have several
            if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
                raise ValueError("labels are two or more, and different")
            self._thresholds = _thresholds_of(manifest, self.labels)
            self._groups = _groups_of(manifest, self.labels)
        path = bundle.path(VOCABULARIES)
        with reading(path, "the vocabularies of a classifier"):
            self._encoder = TextEncoder(load_vocabularies(path)["words"])
        self._session = session

    def encode(self, text: str) -> TextEncoding:
        """Encode one text. Raises InputTooLongError, and NoWordsError if there is no word in it."""
        ids = self._ids_of(text)
        if len(ids) > self.max_tokens:
            raise too_long("text", len(ids), self.max_tokens)
        return TextEncoding(ids=ids)

    def encode_beginning(self, text: str) -> TextEncoding:
        """Encode as much of a text as the limit allows. Raises NoWordsError if there is no word in it."""
        ids = self._ids_of(text)
        return TextEncoding(ids=ids[: self.max_tokens], truncated=len(ids) > self.max_tokens)

    def answer(self, examples: Sequence[ClassifyExample]) -> list[ClassifiedRow]:
        """Answer examples in one batch. Raises InvalidRequestError."""
        return self.run(pad([self.row_of(example) for example in examples]))

    def row_of(self, example: ClassifyExample) -> Ids:
        """Encode an example. Raises InvalidRequestError."""
        return self.encode(example.text).ids

    def difference(self, example: ClassifyExample, answer: ClassifiedRow, max_drift: float) -> str:
        """Describe how the answer differs from the example's; empty if it does not."""
        if answer.label != example.label:
            return f"label is {answer.label}, expected {example.label}"
        if set(example.scores) != set(self.labels):
            return f"labels are {', '.join(self.labels)}, expected {', '.join(example.scores)}"
        if example.labels is not None and set(example.labels) != set(answer.chosen or ()):
            return f"chosen are {', '.join(answer.chosen or ())}, expected {', '.join(example.labels)}"
        return drift([example.scores[label] for label in self.labels], answer.scores, max_drift)

    def warm_up(self, bounds: Bounds) -> float:
        """Run the largest batches there will be: of so many cells, and of one text as long as the limit."""
        return longest_run(self.run, largest_batches(cells=bounds.cells, max_tokens=self.max_tokens))

    def run(self, batch: Batch) -> list[ClassifiedRow]:
        """Answer each row as if it had been run alone."""
        logits = self._session.run({"ids": batch.ids, "lengths": batch.lengths})["log_probabilities"]
        probabilities = np.exp(logits.astype(np.float64))  # (batch, label)
        if self._thresholds is None:
            probabilities /= probabilities.sum(axis=1, keepdims=True)  # float32 leaves a few 1e-7
        return list(map(self._row, probabilities.tolist()))

    def _row(self, scores: Sequence[float]) -> ClassifiedRow:
        best = scores.index(max(scores))
        return ClassifiedRow(
            label=self.labels[best],
            score=scores[best],
            labels=self.labels,
            scores=tuple(scores),
            chosen=self._chosen(scores),
            group=self._group_of(scores) if self._groups else UNSET,
        )

    def _chosen(self, scores: Sequence[float]) -> tuple[str, ...] | None:
        if self._thresholds is None:
            return None
        reached = [i for i, threshold in enumerate(self._thresholds) if scores[i] >= threshold]
        return tuple(self.labels[i] for i in sorted(reached, key=lambda i: -scores[i]))

    def _group_of(self, scores: Sequence[float]) -> str | None:
        """Return the group with the highest sum of scores; a label without a group is one of its own, nameless."""
        sums = [sum(scores[i] for i in places) for _, places in self._groups]
        return self._groups[sums.index(max(sums))][0]

    def _ids_of(self, text: str) -> Ids:
        words = words_of(text)
        if not words:
            raise NoWordsError("holds no word")
        return self._encoder.encode(words)


def _thresholds_of(manifest: Manifest, labels: Sequence[str]) -> tuple[float, ...] | None:
    """Return the thresholds by label, None if the classifier is not multi-label. Raises ValueError."""
    if manifest.multi_label is (manifest.thresholds is None):
        raise ValueError("thresholds are needed where multi_label is true, and only there")
    if manifest.thresholds is None:
        return None
    if set(manifest.thresholds) != set(labels):
        raise ValueError("thresholds are one for each label")
    return tuple(manifest.thresholds[label] for label in labels)


def _groups_of(manifest: Manifest, labels: Sequence[str]) -> Sequence[tuple[str | None, Sequence[int]]]:
    """Return the groups with the places of their labels, then a nameless one for each label in none; empty if there are
    no groups. Raises ValueError."""
    if manifest.groups is None:
        return ()
    if manifest.multi_label:
        raise ValueError("groups are for a classifier that is not multi-label")
    grouped = [label for group in manifest.groups.values() for label in group]
    if not manifest.groups or not all(manifest.groups.values()) or len({*grouped}) < len(grouped):
        raise ValueError("groups have one label or more, and each label is in one at most")
    if unknown := sorted({*grouped} - {*labels}):
        raise ValueError(f"groups of unknown labels: {', '.join(unknown)}")
    named = [(name, tuple(map(labels.index, group))) for name, group in manifest.groups.items()]
    return (*named, *((None, (place,)) for place, label in enumerate(labels) if label not in grouped))

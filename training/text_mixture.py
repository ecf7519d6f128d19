"""What a classifier sees in one epoch: its labelled sets, plain text that a teacher labelled, plain reviews."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.text.pipeline import TextEncoder
from service.text.tokenizer import words_of
from training.corpora.labelled import LabelledText
from training.corpora.sst import NEUTRAL
from training.text_batches import TextBatch, TextExample, text_batches


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextMixture:
    """Examples by set. Of the sets in ``epoch_texts`` an epoch sees a fresh sample, of the others everything."""

    examples: Mapping[str, Sequence[TextExample]]
    epoch_texts: Mapping[str, int]
    batch_words: int
    batch_texts: int
    max_tokens: int

    def __post_init__(self) -> None:
        if unknown := self.epoch_texts.keys() - self.examples.keys():
            raise ValueError(f"epoch_texts: no set {', '.join(sorted(unknown))}; known: {', '.join(self.examples)}")

    def epoch(self, rng: np.random.Generator) -> Iterator[TextBatch]:
        chosen = [example for name in self.examples for example in self._sample(name, rng)]
        return text_batches(
            chosen,
            num_words=self.batch_words,
            num_texts=self.batch_texts,
            max_tokens=self.max_tokens,
            rng=rng,
        )

    def batches_per_epoch(self) -> int:
        return sum(1 for _ in self.epoch(np.random.default_rng(0)))

    def _sample(self, name: str, rng: np.random.Generator) -> Sequence[TextExample]:
        examples = self.examples[name]
        count = self.epoch_texts.get(name, len(examples))
        if count >= len(examples):
            return examples
        return [examples[i] for i in rng.choice(len(examples), count, replace=False)]


def labelled_examples(texts: Sequence[LabelledText], encoder: TextEncoder, num_labels: int) -> list[TextExample]:
    """One-hot targets. Texts without a word are left out."""
    rows = ((encoder.encode(words_of(text.text)), text) for text in texts)
    targets = np.eye(num_labels, dtype=np.float32)
    return [TextExample(ids=ids, target=targets[text.label], weight=text.weight) for ids, text in rows if len(ids)]


def unlabelled_examples(texts: Sequence[str], encoder: TextEncoder, num_labels: int) -> list[TextExample]:
    nothing = np.zeros(num_labels, np.float32)
    rows = (encoder.encode(words_of(text)) for text in texts)
    return [TextExample(ids=ids, target=nothing) for ids in rows if len(ids)]


def write_taught(path: Path, texts: Sequence[str], probabilities: npt.NDArray[np.floating]) -> None:
    """A text a line, behind its probabilities (text, class); its white space becomes single spaces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for text, row in zip(texts, probabilities, strict=True):
            file.write("\t".join((*(f"{p:.4f}" for p in row), " ".join(text.split()))) + "\n")


def taught_examples(path: Path, encoder: TextEncoder, num_labels: int) -> list[TextExample]:
    """What :func:`write_taught` wrote. Five grades become two classes where two are asked for: the less likely it is
    that a text is neutral, the more it weighs."""
    examples = []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            *probabilities, text = line.rstrip("\n").split("\t")
            target, weight = as_classes(np.array(probabilities, np.float32), num_labels)
            ids = encoder.encode(words_of(text))
            if len(ids):
                examples.append(TextExample(ids=ids, target=target, weight=weight))
    return examples


def as_classes(probabilities: npt.NDArray[np.float32], num_labels: int) -> tuple[npt.NDArray[np.float32], float]:
    """The same, or negative and positive of five grades; and the weight. Raises ValueError on any other number."""
    if len(probabilities) == num_labels:
        return probabilities / probabilities.sum(), 1.0
    if (len(probabilities), num_labels) != (5, 2):
        raise ValueError(f"{len(probabilities)} probabilities for {num_labels} classes")
    sides = np.array([probabilities[:NEUTRAL].sum(), probabilities[NEUTRAL + 1 :].sum()], np.float32)
    weight = float(sides.sum())
    return sides / max(weight, 1e-6), weight

"""Batches of tensors from labelled texts. Random choices depend on the epoch's generator alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from service.text.pipeline import Ids, TextEncoder, pad
from service.text.tokenizer import words_of
from training.batches import pack
from training.corpora.labelled_text import LabelledText


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextExample:
    """The ids of a text and its target."""

    ids: Ids  # (time,)
    target: npt.NDArray[np.float32]  # (label,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBatch:
    """Padded texts with their targets."""

    ids: Tensor  # (batch, time)
    lengths: Tensor  # (batch,)
    targets: Tensor  # (batch, label)

    def to(self, device: torch.device) -> TextBatch:
        """The batch on another device."""
        return TextBatch(ids=self.ids.to(device), lengths=self.lengths.to(device), targets=self.targets.to(device))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """The training examples by set. An epoch sees a fresh sample of each set in ``sample``, and all of the others.

    A sample larger than its set holds every example equally often, except for a remainder that is drawn.
    """

    examples: Mapping[str, Sequence[TextExample]]
    sample: Mapping[str, int]
    batch_words: int
    batch_texts: int
    max_tokens: int

    def __post_init__(self) -> None:
        if unknown := self.sample.keys() - self.examples.keys():
            raise ValueError(f"sample: no set {', '.join(sorted(unknown))}; known: {', '.join(self.examples)}")

    def epoch(self, rng: np.random.Generator) -> Iterator[TextBatch]:
        """The batches of one epoch."""
        return text_batches(
            [example for name in self.examples for example in self._sample(name, rng)],
            num_words=self.batch_words,
            num_texts=self.batch_texts,
            max_tokens=self.max_tokens,
            rng=rng,
        )

    def batches_per_epoch(self) -> int:
        """The approximate number of batches in an epoch."""
        return sum(1 for _ in self.epoch(np.random.default_rng(0)))

    def _sample(self, name: str, rng: np.random.Generator) -> Sequence[TextExample]:
        examples = self.examples[name]
        times, rest = divmod(self.sample.get(name, len(examples)), len(examples))
        return [*times * list(examples), *(examples[i] for i in rng.choice(len(examples), rest, replace=False))]


def examples_of(texts: Sequence[LabelledText], encoder: TextEncoder) -> list[TextExample]:
    """The examples of texts; texts without a word are left out."""
    rows = ((encoder.encode(words_of(text.text)), text) for text in texts)
    return [TextExample(ids=ids, target=np.array(text.target, np.float32)) for ids, text in rows if len(ids)]


def window(ids: Ids, max_tokens: int, rng: np.random.Generator) -> Ids:
    """The end of a long text, where people conclude, or as often a stretch from anywhere; a short text whole."""
    spare = len(ids) - max_tokens
    if spare <= 0:
        return ids
    start = spare if rng.random() < 0.5 else rng.integers(spare + 1)
    return ids[start : start + max_tokens]


def text_batches(
    examples: Sequence[TextExample], *, num_words: int, num_texts: int, max_tokens: int, rng: np.random.Generator
) -> Iterator[TextBatch]:
    """Batches of texts of like lengths: about ``num_words`` padded cells each, and at most ``num_texts`` rows, so that
    short texts do not make too few steps."""
    rows = [window(example.ids, max_tokens, rng) for example in examples]
    packed = pack(list(map(len, rows)), num_words, rng)
    for indices in (part for many in packed for part in np.array_split(many, -(-len(many) // num_texts))):
        batch = pad([rows[i] for i in indices])
        yield TextBatch(
            ids=torch.from_numpy(batch.ids),
            lengths=torch.from_numpy(batch.lengths.astype(np.int64)),
            targets=torch.from_numpy(np.stack([examples[i].target for i in indices])),
        )

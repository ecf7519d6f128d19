"""Labelled texts become batches of tensors; what is random here hangs on the epoch's seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from service.text.batch import Ids, pad
from training.batches import pack


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextExample:
    """A text's ids and what is known of its class."""

    ids: Ids  # (time,)
    target: npt.NDArray[np.float32]  # (label,) probabilities; all zero: unknown
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBatch:
    ids: Tensor  # (batch, time)
    lengths: Tensor  # (batch,)
    targets: Tensor  # (batch, label)
    weights: Tensor  # (batch,)

    def to(self, device: torch.device) -> TextBatch:
        return TextBatch(
            ids=self.ids.to(device),
            lengths=self.lengths.to(device),
            targets=self.targets.to(device),
            weights=self.weights.to(device),
        )


def window(ids: Ids, max_tokens: int, rng: np.random.Generator) -> Ids:
    """A long text's end, where people conclude, or as often a stretch from anywhere; a short one whole."""
    spare = len(ids) - max_tokens
    if spare <= 0:
        return ids
    start = spare if rng.random() < 0.5 else rng.integers(spare + 1)
    return ids[start : start + max_tokens]


def text_batches(
    examples: Sequence[TextExample], *, num_words: int, num_texts: int, max_tokens: int, rng: np.random.Generator
) -> Iterator[TextBatch]:
    """One epoch, like lengths together: about ``num_words`` padded cells a batch, and at most ``num_texts`` rows, so
    that short texts, each of them an example too, are as many steps as they should be."""
    rows = [window(example.ids, max_tokens, rng) for example in examples]
    packed = pack(list(map(len, rows)), num_words, rng)
    for indices in (part for many in packed for part in np.array_split(many, -(-len(many) // num_texts))):
        batch = pad([rows[i] for i in indices])
        yield TextBatch(
            ids=torch.from_numpy(batch.ids),
            lengths=torch.from_numpy(batch.lengths.astype(np.int64)),
            targets=torch.from_numpy(np.stack([examples[i].target for i in indices])),
            weights=torch.tensor([examples[i].weight for i in indices]),
        )

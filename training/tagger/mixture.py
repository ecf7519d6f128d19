"""The examples of a tagger's epoch: all of some corpora, a fresh sample of the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from service.text.pipeline import WordEncoder
from training.batches import pack, random_part
from training.loop import has_fast_bfloat16, pick_device
from training.tagger.batches import AugmentConfig, TaggedBatch, TaggedExample, tagged_batches


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """Examples by corpus. ``num_words`` gives the number of words drawn from a corpus in each epoch; other corpora are
    seen whole."""

    examples: Mapping[str, Sequence[TaggedExample]]
    num_words: Mapping[str, int]
    batch_words: int
    augment: AugmentConfig
    encoder: WordEncoder
    rates: npt.NDArray[np.float64]  # (word,) of word dropout

    def choose(self, rng: np.random.Generator) -> list[TaggedExample]:
        chosen: list[TaggedExample] = []
        for name, members in self.examples.items():
            everything = sum(len(example.words) for example in members)
            num_words = self.num_words.get(name, everything)
            chosen += random_part(members, num_words, rng, length=lambda example: len(example.words))
        return chosen

    def epoch(self, rng: np.random.Generator) -> Iterator[TaggedBatch]:
        """An epoch of training batches."""
        return tagged_batches(
            self.choose(rng),
            self.encoder,
            num_words=self.batch_words,
            rates=self.rates,
            config=self.augment,
            rng=rng,
        )

    def batches_per_epoch(self) -> int:
        """The approximate number of batches in an epoch; samples differ a little."""
        rng = np.random.default_rng(0)
        return len(pack([len(example.words) for example in self.choose(rng)], self.batch_words, rng))


def taught_batches(batches: Iterable[TaggedBatch], teacher: nn.Module) -> Iterator[TaggedBatch]:
    """Batches with the probabilities that a teacher gives the tags of its heads."""
    device = pick_device()
    teacher = teacher.to(device)
    for batch in batches:
        given = batch.to(device)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device)):
            logits = teacher(given.ids, given.lengths)
        yield replace(given, taught={name: rows.float().softmax(-1) for name, rows in logits.items()})

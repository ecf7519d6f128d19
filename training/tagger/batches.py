"""Batches of tensors from tagged sentences and from plain ones. Random choices depend on the epoch's seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from service.text.pipeline import MASK_ID, UNK_ID, Ids, WordEncoder, pad
from training.batches import pack

Bits = npt.NDArray[np.int64]
PUNCTUATION = frozenset(".?!")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaggedExample:
    """A sentence and, by head, the tags allowed for each word: bit ``i`` for tag ``i``, no bit if nothing is known."""

    words: Sequence[str]
    allowed: Mapping[str, Bits]  # (time,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedBatch:
    ids: Tensor  # (batch, time, feature)
    lengths: Tensor  # (batch,)
    allowed: Mapping[str, Tensor]  # (batch, time) by head
    taught: Mapping[str, Tensor] = field(default_factory=dict)  # (batch, time, tag) by head: a teacher's probabilities

    def to(self, device: torch.device) -> TaggedBatch:
        allowed, taught = ({name: x.to(device) for name, x in part.items()} for part in (self.allowed, self.taught))
        return TaggedBatch(ids=self.ids.to(device), lengths=self.lengths.to(device), allowed=allowed, taught=taught)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClozeBatch:
    ids: Tensor  # (batch, time, feature), some words masked
    lengths: Tensor  # (batch,)
    masked: Tensor  # (batch, time), true where a word is to be guessed
    targets: Tensor  # (masked,), its id

    def to(self, device: torch.device) -> ClozeBatch:
        return ClozeBatch(
            ids=self.ids.to(device),
            lengths=self.lengths.to(device),
            masked=self.masked.to(device),
            targets=self.targets.to(device),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """Rates at which training sentences are varied, so that the network meets text as people write it."""

    drop_final_punctuation: float = 0.1
    lowercase: float = 0.05
    uppercase: float = 0.03
    word_dropout: float = 0.25  # a word of count n becomes unknown at a rate of this / (this + n)


def bits_of(tags: Sequence[frozenset[str] | str], vocabulary: Sequence[str]) -> Bits:
    """Allowed tags as bits; a tag outside the vocabulary has none."""
    ids = {tag: 1 << i for i, tag in enumerate(vocabulary)}
    if len(ids) > 62:
        raise ValueError(f"{len(ids)} tags do not fit the bits of an integer")
    sets = (tag if isinstance(tag, frozenset) else (tag,) for tag in tags)
    return np.array([sum(ids.get(tag, 0) for tag in allowed) for allowed in sets], np.int64)


def augment(example: TaggedExample, config: AugmentConfig, rng: np.random.Generator) -> TaggedExample:
    """The example or a variant of it: without the full stop at its end, in lower case, in upper case."""
    words, allowed = example.words, example.allowed
    drop, case = rng.random(2)
    if drop < config.drop_final_punctuation and len(words) > 1 and words[-1] in PUNCTUATION:
        words, allowed = words[:-1], {name: bits[:-1] for name, bits in allowed.items()}
    if case < config.lowercase:
        words = [word.lower() for word in words]
    elif case > 1 - config.uppercase:
        words = [word.upper() for word in words]
    return TaggedExample(words=words, allowed=allowed)


def drop_words(ids: Ids, rates: npt.NDArray[np.float64], rng: np.random.Generator) -> Ids:
    """Ids (time, feature) with words replaced by the unknown word, each at its own rate (word,)."""
    ids[rng.random(len(ids)) < rates[ids[:, 0]], 0] = UNK_ID
    return ids


def collate(examples: Sequence[TaggedExample], rows: Sequence[Ids]) -> TaggedBatch:
    """One batch of examples. For a head that an example lacks, nothing is known of its words."""
    batch = pad(rows)
    heads = sorted({name for example in examples for name in example.allowed})
    allowed = {name: np.zeros(batch.ids.shape[:2], np.int64) for name in heads}
    for i, example in enumerate(examples):
        for name, bits in example.allowed.items():
            allowed[name][i, : len(bits)] = bits
    return TaggedBatch(
        ids=torch.from_numpy(batch.ids),
        lengths=torch.from_numpy(batch.lengths.astype(np.int64)),
        allowed={name: torch.from_numpy(bits) for name, bits in allowed.items()},
    )


def tagged_batches(
    examples: Sequence[TaggedExample],
    encoder: WordEncoder,
    *,
    num_words: int,
    rates: npt.NDArray[np.float64],
    config: AugmentConfig,
    rng: np.random.Generator,
) -> Iterator[TaggedBatch]:
    """One epoch of training batches."""
    for indices in pack([len(example.words) for example in examples], num_words, rng):
        chosen = [augment(examples[i], config, rng) for i in indices]
        yield collate(chosen, [drop_words(encoder.encode(e.words), rates, rng) for e in chosen])


def cloze_batches(
    sentences: Sequence[Sequence[str]],
    encoder: WordEncoder,
    *,
    num_words: int,
    mask_rate: float,
    rng: np.random.Generator,
) -> Iterator[ClozeBatch]:
    """One epoch of batches in which known words are masked at a rate, with all their features, to be predicted."""
    for indices in pack([len(words) for words in sentences], num_words, rng):
        batch = pad([encoder.encode(sentences[i]) for i in indices])
        masked = (rng.random(batch.ids.shape[:2]) < mask_rate) & (batch.ids[:, :, 0] > MASK_ID)
        targets = batch.ids[masked][:, 0].astype(np.int64)
        batch.ids[masked] = 0
        batch.ids[masked, 0] = MASK_ID
        if len(targets):
            yield ClozeBatch(
                ids=torch.from_numpy(batch.ids),
                lengths=torch.from_numpy(batch.lengths.astype(np.int64)),
                masked=torch.from_numpy(masked),
                targets=torch.from_numpy(targets),
            )

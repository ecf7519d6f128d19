"""Sentence pairs become batches of tensors; what is random here hangs on the epoch's seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from service.text.batch import pad
from service.text.subwords import BOS_ID, EOS_ID
from training.batches import pack
from training.corpora.parallel import Pair


class PairEncoder(Protocol):
    """Subwords of both sides; see training/subword_training.py."""

    def encode_source(self, text: str, target_language: str) -> list[int]: ...
    def encode_target(self, text: str) -> list[int]: ...


class Variation(Protocol):
    """How a pair may look when it is seen once more."""

    def __call__(self, pair: Pair, rng: np.random.Generator) -> Pair: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPair:
    """A pair and its lengths as it is cut best, without any variation."""

    pair: Pair
    source_tokens: int
    target_tokens: int

    @property
    def length(self) -> float:
        """For sorting: target tokens, each a step of the decoder, before source tokens."""
        return self.target_tokens + self.source_tokens / 100


def measure(pairs: Sequence[Pair], encoder: PairEncoder, *, max_tokens: int) -> list[MeasuredPair]:
    """Pairs of which no side is longer than ``max_tokens``."""
    measured = []
    for pair in pairs:
        source = len(encoder.encode_source(pair.source, pair.target_language))
        target = len(encoder.encode_target(pair.target)) + 1
        if max(source, target) <= max_tokens:
            measured.append(MeasuredPair(pair=pair, source_tokens=source, target_tokens=target))
    return measured


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBatch:
    source: Tensor  # (batch, time): tag, pieces, </s>
    source_lengths: Tensor  # (batch,)
    target: Tensor  # (batch, time): <s>, pieces, </s>; 0 is padding
    own_share: float = 0.0  # of target inputs that the network says itself

    def to(self, device: torch.device) -> PairBatch:
        return PairBatch(
            source=self.source.to(device),
            source_lengths=self.source_lengths.to(device),
            target=self.target.to(device),
            own_share=self.own_share,
        )


def pair_batches(
    pairs: Sequence[Pair],
    lengths: Sequence[float],
    encoder: PairEncoder,
    *,
    num_tokens: int,
    vary: Variation,
    own_share: float,
    rng: np.random.Generator,
) -> Iterator[PairBatch]:
    """One epoch, like ``lengths`` (of MeasuredPair) together: about ``num_tokens`` padded target tokens a batch."""
    for indices in pack_pairs(lengths, num_tokens, rng):
        yield collate([vary(pairs[i], rng) for i in indices], encoder, own_share=own_share)


def pack_pairs(lengths: Sequence[int], num_tokens: int, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Indices of pairs in batches of about ``num_tokens`` padded target tokens."""
    return pack(lengths, num_tokens, rng)


def collate(pairs: Sequence[Pair], encoder: PairEncoder, *, own_share: float = 0.0) -> PairBatch:
    source = pad([_row(encoder.encode_source(pair.source, pair.target_language)) for pair in pairs])
    target = pad([_row([BOS_ID, *encoder.encode_target(pair.target), EOS_ID]) for pair in pairs])
    return PairBatch(
        source=torch.from_numpy(source.ids.astype(np.int64)),
        source_lengths=torch.from_numpy(source.lengths.astype(np.int64)),
        target=torch.from_numpy(target.ids.astype(np.int64)),
        own_share=own_share,
    )


def _row(ids: Sequence[int]) -> npt.NDArray[np.int32]:
    return np.array(ids, np.int32)

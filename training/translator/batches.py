"""Batches of tensors from sentence pairs. Random choices depend on the epoch's seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from service.text.pipeline import Ids, pad
from service.text.subwords import BOS_ID, EOS_ID
from training.batches import pack
from training.corpora.parallel import Pair


class PairEncoder(Protocol):
    """An encoder of both sides into subwords; see training/translator/subwords.py."""

    def encode_source(self, text: str, target_language: str) -> list[int]: ...
    def encode_target(self, text: str) -> list[int]: ...


class Variation(Protocol):
    """A random variation of a pair, applied each time that it is seen."""

    def __call__(self, pair: Pair, rng: np.random.Generator) -> Pair: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPair:
    """A pair with the lengths of its sides in subwords, cut best and without variation."""

    pair: Pair
    source_tokens: int
    target_tokens: int

    @property
    def length(self) -> float:
        """The length to sort by: target tokens, each a step of the decoder, then source tokens."""
        return self.target_tokens + self.source_tokens / 100


def measure(pairs: Sequence[Pair], encoder: PairEncoder, *, max_tokens: int) -> list[MeasuredPair]:
    """The pairs with no side longer than ``max_tokens``."""
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
    own_share: float = 0.0  # of target inputs that are the network's own predictions

    def to(self, device: torch.device) -> PairBatch:
        return PairBatch(
            source=self.source.to(device),
            source_lengths=self.source_lengths.to(device),
            target=self.target.to(device),
            own_share=self.own_share,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EncodedPair:
    """Both sides as rows of a batch: tag, pieces, </s>; <s>, pieces, </s>."""

    source: Ids
    target: Ids

    @property
    def length(self) -> float:
        """The length to sort by, as of a MeasuredPair."""
        return len(self.target) - 1 + len(self.source) / 100


def pair_batches(
    pairs: Sequence[Pair],
    encoder: PairEncoder,
    *,
    num_tokens: int,
    vary: Variation,
    own_share: float,
    rng: np.random.Generator,
) -> Iterator[PairBatch]:
    """One epoch of batches, each of like lengths and about ``num_tokens`` padded target tokens.

    Pairs are varied before they are sorted: a sentence in capitals has twice as many subwords.
    """
    rows = [encode_pair(vary(pair, rng), encoder) for pair in pairs]
    for indices in pack_pairs([row.length for row in rows], num_tokens, rng):
        yield collate([rows[i] for i in indices], own_share=own_share)


def pack_pairs(lengths: Sequence[float], num_tokens: int, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Indices of pairs in batches of about ``num_tokens`` padded target tokens."""
    return pack(lengths, num_tokens, rng)


def encode_pair(pair: Pair, encoder: PairEncoder) -> EncodedPair:
    return EncodedPair(
        source=np.array(encoder.encode_source(pair.source, pair.target_language), np.int32),
        target=np.array([BOS_ID, *encoder.encode_target(pair.target), EOS_ID], np.int32),
    )


def collate(rows: Sequence[EncodedPair], *, own_share: float = 0.0) -> PairBatch:
    source, target = pad([row.source for row in rows]), pad([row.target for row in rows])
    return PairBatch(
        source=torch.from_numpy(source.ids.astype(np.int64)),
        source_lengths=torch.from_numpy(source.lengths.astype(np.int64)),
        target=torch.from_numpy(target.ids.astype(np.int64)),
        own_share=own_share,
    )

"""A translation model whose every word depends on the source and on all words before, and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.decoding.search import EncoderOutputs, Search, StepInputs, StepOutputs
from service.text.pipeline import Batch

BOS, EOS, FIRST_WORD = 2, 3, 4
LOOP = 99  # a source that begins with it and n makes the model repeat the same n words for ever
TIE = 98  # one that begins with it gives every word the same score

Bits = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class InventedModel:
    """Its state is (hash, hash, hash, number of words); its memory the source itself, beside a number of its own that
    must never count: the place of the row in its batch. Each two neighbouring words are spelt alike."""

    vocabulary_size: int = 14
    eos_bonus: float = 0.0
    bos_id: int = BOS
    eos_id: int = EOS

    def encode(self, batch: Batch) -> EncoderOutputs:
        rows, time = batch.ids.shape
        source = batch.ids.astype(np.float32)[:, :, None]
        state = np.zeros((rows, 4), np.float32)
        return EncoderOutputs(
            state=state,
            memories={"source": source, "noise": np.arange(rows * time * 2, dtype=np.float32).reshape(rows, time, 2)},
        )

    def step(self, inputs: StepInputs) -> StepOutputs:
        source = inputs.memories["source"][inputs.sources, :, 0]  # (row, time)
        lengths = inputs.lengths[inputs.sources]
        real = np.arange(source.shape[1]) < lengths[:, None]
        hashes = _mixed(_unpacked(inputs.state), inputs.tokens.astype(np.uint64))
        hashes = _mixed(hashes, _digest(np.where(real, source, 0)))
        scores = self._scores(hashes, source, inputs.state[:, 3].astype(int))
        order = np.argsort(-scores, axis=1, kind="stable")[:, : inputs.num_candidates]
        weights = np.where(real, _fraction(_mixed(hashes[:, None], np.arange(source.shape[1], dtype=np.uint64))), 0)
        return StepOutputs(
            state=_packed(hashes, inputs.state[:, 3] + 1),
            scores=np.take_along_axis(scores, order, axis=1),
            candidates=order.astype(np.int32),
            attention=weights.astype(np.float32),
        )

    def surface(self, ids: Sequence[int]) -> str:
        return "".join(chr(ord("a") + each // 2) for each in ids)

    def _scores(self, hashes: Bits, source: npt.NDArray[np.float32], ages: npt.NDArray[np.int_]) -> npt.NDArray:
        """(row, token)"""
        words = np.arange(self.vocabulary_size, dtype=np.uint64)
        scores = -0.01 - 4 * _fraction(_mixed(hashes[:, None], words)).astype(np.float32)
        scores[:, EOS] = np.minimum(scores[:, EOS] + self.eos_bonus, -0.01)
        words_known = self.vocabulary_size - FIRST_WORD
        for row in np.flatnonzero(source[:, 0] == LOOP):
            scores[row, FIRST_WORD + ages[row] % min(int(source[row, 1]), words_known)] = -0.001
        scores[source[:, 0] == TIE] = -1.0
        scores[:, :EOS] = -np.inf
        return scores


def _mixed(first: Bits, second: Bits) -> Bits:
    """One hash of two (splitmix64)."""
    mixed = first * np.uint64(0x9E3779B97F4A7C15) + second + np.uint64(0x632BE59BD9B4E019)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) & np.uint64((1 << 60) - 1)


def _digest(source: npt.NDArray[np.float32]) -> Bits:
    digest = np.zeros(len(source), np.uint64)
    for column in source.T.astype(np.uint64):
        digest = np.where(column > 0, _mixed(digest, column), digest)
    return digest


def _fraction(hashes: Bits) -> npt.NDArray[np.float64]:
    return (hashes >> np.uint64(40)).astype(np.float64) / (1 << 20)


def _packed(hashes: Bits, ages: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    parts = [(hashes >> np.uint64(shift)) & np.uint64((1 << 20) - 1) for shift in (0, 20, 40)]
    return np.stack([*(part.astype(np.float32) for part in parts), ages], axis=1)


def _unpacked(state: npt.NDArray[np.float32]) -> Bits:
    parts = state[:, :3].astype(np.uint64)
    return parts[:, 0] | (parts[:, 1] << np.uint64(20)) | (parts[:, 2] << np.uint64(40))


def search(
    *ids: int,
    beam_size: int = 1,
    num_hypotheses: int = 1,
    length_penalty: float = 1.0,
    max_tokens: int = 12,
) -> Search:
    return Search(
        ids=np.array(ids, np.int32),
        beam_size=beam_size,
        num_hypotheses=num_hypotheses,
        length_penalty=length_penalty,
        max_tokens=max_tokens,
    )

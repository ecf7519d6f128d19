"""Graphs of translators and language models as decoding calls them: one that reads, and one that makes a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from service.decoding.search import EncoderOutputs, Floats, NextTokens, StepInputs, StepOutputs
from service.runtime.session import Arrays, Session
from service.text.pipeline import Batch, Ids
from service.text.subwords import BOS_ID, EOS_ID, Subwords, TextPieces

STATE, NEXT_STATE = "state", "next_state"  # a graph must tell what goes in from what comes out
SCORED_TOGETHER = 256  # tokens of all texts of a run, whose distributions over the vocabulary are in memory at once
_NO_POSITION, _NO_TARGET = np.zeros(0, np.int64), np.zeros(0, np.int32)


class TranslationGraphs:
    """The encoder, which gives ``state`` and memories of any names, and the decoder's step, which takes them. May be
    called by several threads at once."""

    bos_id, eos_id = BOS_ID, EOS_ID

    def __init__(self, *, encoder: Session, step: Session, subwords: Subwords) -> None:
        self._encoder = encoder
        self._step = step
        self._subwords = subwords
        self._vocabulary_size = len(subwords)

    def encode(self, batch: Batch) -> EncoderOutputs:
        """Encode sources (batch, time), padded to any length."""
        outputs = self._encoder.run({"ids": batch.ids, "lengths": batch.lengths})
        memories = {name: values for name, values in outputs.items() if name != STATE}
        return EncoderOutputs(state=outputs[STATE], memories=memories)

    def step(self, inputs: StepInputs) -> StepOutputs:
        """Return the best next tokens of each row; as many as the vocabulary has, if more are asked for."""
        num_candidates = min(inputs.num_candidates, self._vocabulary_size)
        outputs = self._step.run(
            {
                **inputs.memories,
                "tokens": inputs.tokens,
                STATE: inputs.state,
                "sources": inputs.sources,
                "lengths": inputs.lengths,
                "num_candidates": np.array([num_candidates], np.int64),
            }
        )
        return StepOutputs(
            state=outputs[NEXT_STATE],
            scores=outputs["scores"],
            candidates=outputs["candidates"],
            attention=outputs["attention"],
        )

    def surface(self, ids: Sequence[int]) -> str:
        """Return the text that the pieces spell."""
        return self._subwords.decode(ids)


class LanguageGraphs:
    """The reader, which reads whole texts, and the step, which reads one token and gives the likeliest
    next ones. May be called by several threads at once."""

    eos_id = EOS_ID

    def __init__(self, *, reader: Session, step: Session, pieces: TextPieces, state_size: int) -> None:
        self.state_size = state_size
        self.spelling = pieces.subwords.spelling  # of each token by id
        self.is_text = pieces.is_text  # (id,), whether each token may be sampled
        self._reader = reader
        self._step = step

    def first_state(self, num_rows: int) -> Floats:
        """Return the state (row, state) before any token."""
        return np.zeros((num_rows, self.state_size), np.float32)

    def read(self, batch: Batch, state: Floats) -> Floats:
        """Return the states (batch, state) behind these tokens, read from the given states (batch, state)."""
        return self._read(batch, state, positions=_NO_POSITION, targets=_NO_TARGET)[NEXT_STATE]

    def score(self, batch: Batch) -> list[Floats]:
        """Return the log-probabilities (time,) of each text's tokens but the first, which precedes the text. Many texts
        are read a part at a time, and long ones in stretches, so that memory is bounded."""
        parts = (slice(first, first + SCORED_TOGETHER) for first in range(0, len(batch.lengths), SCORED_TOGETHER))
        return [row for part in parts for row in self._score_part(batch.ids[part], batch.lengths[part] - 1)]

    def _score_part(self, ids: Ids, lengths: Ids) -> Iterator[Floats]:
        logprobs = np.zeros((len(lengths), int(lengths.max())), np.float32)
        rows, state = np.arange(len(lengths)), self.first_state(len(lengths))
        longest = SCORED_TOGETHER // len(lengths)
        for start in range(0, logprobs.shape[1], longest):
            is_left = lengths[rows] > start
            rows, state = rows[is_left], state[is_left]
            stretch = ids[rows, start : start + longest + 1]
            found, state = self._score(stretch, np.minimum(lengths[rows] - start, longest), state)
            logprobs[rows, start : start + found.shape[1]] = found
        return (row[:length] for row, length in zip(logprobs, lengths.tolist(), strict=True))

    def _score(self, ids: Ids, lengths: Ids, state: Floats) -> tuple[Floats, Floats]:
        """Return the log-probabilities (row, time) of a stretch's tokens but the first, and the next states."""
        logprobs = np.zeros((len(lengths), int(lengths.max())), np.float32)
        time = logprobs.shape[1]
        is_asked = np.arange(time) < lengths[:, None]
        outputs = self._read(
            Batch(ids=ids[:, :time], lengths=lengths),
            state,
            positions=np.flatnonzero(is_asked),
            targets=ids[:, 1 : time + 1][is_asked],
        )
        logprobs[is_asked] = outputs["log_probabilities"]
        return logprobs, outputs[NEXT_STATE]

    def _read(self, batch: Batch, state: Floats, *, positions: npt.NDArray[np.int64], targets: Ids) -> Arrays:
        return self._reader.run(
            {"ids": batch.ids, "lengths": batch.lengths, STATE: state, "positions": positions, "targets": targets}
        )

    def step(self, tokens: Ids, state: Floats, num_candidates: int) -> NextTokens:
        """Read one token (row,) each and return the likeliest next ones, at most as many as the vocabulary has."""
        outputs = self._step.run(
            {
                "tokens": tokens,
                STATE: state,
                "num_candidates": np.array([min(num_candidates, len(self.spelling))], np.int64),
            }
        )
        return NextTokens(state=outputs[NEXT_STATE], scores=outputs["scores"], candidates=outputs["candidates"])

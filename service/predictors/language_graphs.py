"""Language graphs: a language model's reader and step in the form that predictor and sampler call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from service.decoding.sampling import NextTokens
from service.decoding.search import Floats
from service.runtime.session import Arrays, Session
from service.text.batch import Batch, Ids
from service.text.subwords import EOS_ID
from service.text.text_pieces import TextPieces

SCORED_TOGETHER = 256  # tokens of all texts of a run, whose distributions over the vocabulary are in memory at once
_NO_POSITION, _NO_TARGET = np.zeros(0, np.int64), np.zeros(0, np.int32)
STATE, NEXT_STATE = "state", "next_state"  # a graph must tell what goes in from what comes out


class LanguageGraphs:
    """The reader, which reads whole texts, and the step, which reads one token and gives the likeliest
    next ones. May be called by several threads at once."""

    eos_id = EOS_ID

    def __init__(self, *, reader: Session, step: Session, pieces: TextPieces, state_size: int) -> None:
        self._reader = reader
        self._step = step
        self._pieces = pieces
        self.state_size = state_size

    @property
    def spelling(self) -> Sequence[str]:
        """Text of each token by id."""
        return self._pieces.subwords.spelling

    @property
    def is_text(self) -> npt.NDArray[np.bool_]:
        """Whether each token (id,) may be sampled."""
        return self._pieces.is_text

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
        """Return the log-probabilities (row, time) of a stretch's tokens but the first, of which each row has so many,
        and the next states."""
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
        """Read one token (row,) each and return the likeliest next ones; as many as the vocabulary has, if more are
        asked for."""
        outputs = self._step.run(
            {
                "tokens": tokens,
                STATE: state,
                "num_candidates": np.array([min(num_candidates, len(self.spelling))], np.int64),
            }
        )
        return NextTokens(state=outputs[NEXT_STATE], scores=outputs["scores"], candidates=outputs["candidates"])

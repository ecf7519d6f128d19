"""Language graphs: a language model's reading graph and step graph in the form that predictor and sampler call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from service.decoding.sampling import NextTokens
from service.decoding.search import Floats
from service.runtime.session import Session
from service.text.batch import Batch, Ids
from service.text.subwords import EOS_ID
from service.text.text_pieces import TextPieces

STATE, NEXT_STATE = "state", "next_state"  # a graph must tell what goes in from what comes out


class ReadTexts(NamedTuple):
    """Outputs of the reading graph for a batch of texts."""

    logprobs: Floats  # (batch, time), of each token's successor; what is beyond a row's length means nothing
    state: Floats  # (batch, state), behind each row's last token


class LanguageGraphs:
    """The reading graph, which reads whole texts, and the step graph, which reads one token and gives the likeliest
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
        return self.read_texts(batch, state).state

    def read_texts(self, batch: Batch, state: Floats) -> ReadTexts:
        """Read a batch from the given states (batch, state)."""
        outputs = self._reader.run({"ids": batch.ids, "lengths": batch.lengths, STATE: state})
        return ReadTexts(logprobs=outputs["log_probabilities"], state=outputs[NEXT_STATE])

    def step(self, tokens: Ids, state: Floats, num_candidates: int) -> NextTokens:
        """Read one token (row,) each and return the likeliest next ones; as many as the vocabulary has, if more are
        asked for."""
        outputs = self._step.run(
            {
                "tokens": tokens,
                STATE: state,
                "num_candidates": np.array([min(num_candidates, len(self.spelling))], np.int64),
                "targets": tokens,  # their log-probabilities are not used here
            }
        )
        return NextTokens(state=outputs[NEXT_STATE], scores=outputs["scores"], candidates=outputs["candidates"])

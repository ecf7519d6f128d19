"""Translation graphs: a translator's encoder and step graph in the form that the decoder calls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from service.decoding.search import EncoderOutputs, StepInputs, StepOutputs
from service.runtime.session import Session
from service.text.batch import Batch
from service.text.subwords import BOS_ID, EOS_ID, Subwords

STATE, NEXT_STATE = "state", "next_state"  # a graph must tell what goes in from what comes out


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

"""Graphs of translators and language models as decoding calls them: one that reads, and one that makes a step; and
language models' states as text, which a caller keeps of a generated text, and sends to go on from there."""

from __future__ import annotations

import hashlib
import struct
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from service.decoding.search import (
    NUM_RECENT,
    EncoderOutputs,
    Floats,
    LanguageState,
    NextTokens,
    StepInputs,
    StepOutputs,
)
from service.errors import FieldError, InvalidRequestError
from service.runtime.session import Arrays, Session
from service.text.batch import Batch, Ids
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


VERSION = 1
_MAGIC = b"RBLS"
_MODEL_BYTES = 16  # of the model's checksum
_CHECK_BYTES = 8
# Magic, version, model, position, number of the sample, recent tokens.
_HEAD = struct.Struct(f"<4sB{_MODEL_BYTES}sIIB")
_LONGEST = 2**20  # bytes: no model's state is larger
_MOST = 2**32 - 1


def dump_state(state: LanguageState, *, model_checksum: str) -> str:
    """Write a state as base64. Its numbers are kept to the last bit."""
    head = _HEAD.pack(
        _MAGIC,
        VERSION,
        bytes.fromhex(model_checksum)[:_MODEL_BYTES],
        min(state.position, _MOST),
        min(state.sample, _MOST),
        len(state.recent),
    )
    content = head + state.recent.astype("<i4").tobytes() + state.vector.astype("<f4").tobytes()
    return b64encode(content + _check_of(content)).decode("ascii")


def load_state(text: str, *, model_checksum: str, state_size: int, vocabulary_size: int) -> LanguageState:
    """Read what :func:`dump_state` wrote for this model. Raises InvalidRequestError that says what is wrong."""
    content = _content_of(text)
    if len(content) < _HEAD.size or not content.startswith(_MAGIC):
        raise _wrong("is no state that POST /generate has answered")
    _, version, model, position, sample, num_recent = _HEAD.unpack_from(content)
    if version != VERSION:
        raise _wrong(f"has version {version}, and this service reads {VERSION}")
    content, check = content[:-_CHECK_BYTES], content[-_CHECK_BYTES:]
    if check != _check_of(content):
        raise _wrong("is damaged: its checksum is not that of its content")
    if model != bytes.fromhex(model_checksum)[:_MODEL_BYTES]:
        raise _wrong("is of another model, or of another version of this one")
    body = content[_HEAD.size :]
    if not 1 <= num_recent <= NUM_RECENT or len(body) != 4 * (num_recent + state_size):
        raise _wrong(
            f"has the wrong size: {len(body)} bytes of tokens and numbers, and this model has {state_size} numbers"
        )
    recent = np.frombuffer(body, "<i4", num_recent).astype(np.int32)
    vector = np.frombuffer(body, "<f4", state_size, offset=4 * num_recent).astype(np.float32)
    if not np.isfinite(vector).all():
        raise _wrong("holds a number that is not finite")
    if recent.min() < 0 or recent.max() >= vocabulary_size:
        raise _wrong("holds a token that this model does not have")
    return LanguageState(vector=vector, recent=recent, position=position, sample=sample)


def _content_of(text: str) -> bytes:
    if len(text) > _LONGEST:
        raise _wrong(f"has the wrong size: {len(text)} characters")
    try:
        content = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise _wrong("is not base64") from None
    # The last character has bits that decoding drops: other characters there would stand for the same bytes.
    if b64encode(content).decode("ascii") != text:
        raise _wrong("is damaged: its last characters are not those that were answered")
    return content


def _check_of(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:_CHECK_BYTES]


def _wrong(message: str) -> InvalidRequestError:
    return InvalidRequestError(f"state {message}", errors=[FieldError(path="state", message=message)])

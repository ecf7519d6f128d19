"""Language states as text: what a caller keeps of a generated text, and sends to go on from there."""

from __future__ import annotations

import hashlib
import struct
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

import numpy as np

from service.decoding.search import NUM_RECENT, LanguageState
from service.errors import FieldError, InvalidRequestError

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

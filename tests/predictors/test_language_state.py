"""A language state is read as it was written, and no other text is taken for it."""

from __future__ import annotations

import string
from hashlib import sha256

import numpy as np
import pytest

from service.decoding.search import LanguageState
from service.errors import InvalidRequestError
from service.predictors.language_state import dump_state, load_state

CHECKSUM = sha256(b"a model").hexdigest()
VOCABULARY_SIZE = 2**31 - 1  # the checksum is what refuses, not the range of tokens
CHARACTERS = string.printable + "\0é\u00a0\u0131\uff21"


def state_of(num_recent: int, state_size: int) -> LanguageState:
    vector = np.linspace(-1, 1, state_size, dtype=np.float32)
    return LanguageState(vector=vector, recent=np.arange(num_recent, dtype=np.int32), position=7, sample=2)


def read(text: str, state_size: int) -> LanguageState:
    return load_state(text, model_checksum=CHECKSUM, state_size=state_size, vocabulary_size=VOCABULARY_SIZE)


@pytest.mark.parametrize("num_recent", [1, 2, 3])  # the text ends without "=", with two and with one
def test_every_change_of_one_character_is_refused(num_recent: int) -> None:
    state_size = 3
    text = dump_state(state_of(num_recent, state_size), model_checksum=CHECKSUM)
    again = read(text, state_size)
    assert (again.position, again.sample) == (7, 2)
    assert again.vector.tolist() == [-1, 0, 1]
    changed = {text[:place] + new + text[place + 1 :] for place in range(len(text)) for new in ("", *CHARACTERS)}
    inserted = {text[:place] + new + text[place:] for place in range(len(text) + 1) for new in CHARACTERS}
    for other in (changed | inserted) - {text}:
        with pytest.raises(InvalidRequestError, match="state "):
            read(other, state_size)


def test_states_of_all_lengths_of_base64_are_tried_above() -> None:
    texts = [dump_state(state_of(num_recent, 3), model_checksum=CHECKSUM) for num_recent in (1, 2, 3)]
    assert sorted(text.count("=") for text in texts) == [0, 1, 2]

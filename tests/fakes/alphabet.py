"""A language model whose answers are known: it says the alphabet.

Its units are single characters. After a small letter the next one of the alphabet has a probability of 0.9, after
``z`` the end, after anything else ``a``; all other units but padding, unknown and begin share the rest. Its state is
how many units were read and which one was the last.
"""

from __future__ import annotations

import io
import string
from functools import cache

import numpy as np
import numpy.typing as npt
import sentencepiece

from service.runtime.session import Arrays
from service.text.subwords import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subwords

CHARACTERS = string.ascii_letters + string.digits + " .,;:!?'\"-()"
RIGHT = 0.9
NEVER = -1e4
STATE_SIZE = 2


@cache
def alphabet() -> bytes:
    """The unit model: characters and bytes, white space as it is."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([CHARACTERS.replace(" ", " a ")] * 2),
        model_writer=model,
        model_type="char",
        vocab_size=500,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        user_defined_symbols=["\n"],
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        minloglevel=2,
    )
    return model.getvalue()


@cache
def units() -> Subwords:
    return Subwords.load(alphabet(), symbols=())


@cache
def table() -> npt.NDArray[np.float32]:
    """(unit, unit): the log-probability of each unit behind each."""
    size = len(units())
    is_never = np.isin(np.arange(size), (PAD_ID, UNK_ID, BOS_ID))
    values = np.where(is_never, NEVER, np.log((1 - RIGHT) / (size - is_never.sum() - 1)))
    found = np.tile(values, (size, 1))
    found[np.arange(size), right()] = np.log(RIGHT)
    return found.astype(np.float32)


@cache
def right() -> npt.NDArray[np.int32]:
    """For each unit the likeliest next one."""
    letters = [units().processor.piece_to_id(letter) for letter in string.ascii_lowercase]
    found = np.full(len(units()), letters[0], np.int32)
    found[letters] = [*letters[1:], EOS_ID]
    return found


def step(inputs: Arrays) -> dict[str, npt.NDArray[np.float32 | np.int32]]:
    """The step's graph."""
    tokens, count = inputs["tokens"], int(inputs["num_candidates"][0])
    scores = table()[tokens]
    candidates = np.argsort(-scores, axis=1, kind="stable")[:, :count].astype(np.int32)
    return {
        "next_state": _after(inputs["state"], np.ones(len(tokens)), tokens),
        "log_probabilities": scores,
        "scores": np.take_along_axis(scores, candidates, axis=1),
        "candidates": candidates,
    }


def read(inputs: Arrays) -> dict[str, npt.NDArray[np.float32]]:
    """The reader's graph."""
    ids, lengths = inputs["ids"], inputs["lengths"]
    return {
        "next_state": _after(inputs["state"], lengths, ids[np.arange(len(ids)), lengths - 1]),
        "log_probabilities": table()[ids.reshape(-1)[inputs["positions"]], inputs["targets"]],
    }


def _after(
    state: npt.NDArray[np.float32], counts: npt.NDArray[np.generic], last: npt.NDArray[np.int32]
) -> npt.NDArray[np.float32]:
    return np.stack([state[:, 0] + counts, last], axis=1).astype(np.float32)

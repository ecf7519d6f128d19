"""A language model whose likeliest texts are known: each token has one that follows it best, the others a noise that
depends on the last two tokens and on how many there were.

All numbers are eighths, which add up exactly, so that one text alone and among others is the same to the last bit.
"""

from __future__ import annotations

import io
import string
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import sentencepiece

from service.runtime.session import Arrays
from service.text.subwords import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subwords, TextPieces

Table = npt.NDArray[np.float32]
STATE_SIZE = 3  # the last two tokens, and how many there were
WORDS = ("▁The", "▁report", "▁is", "▁ready", "▁now", "▁smile")
# What follows a token best; after any other, " is".
CHAINS = (
    ("</s>", "▁The", "▁report", "▁is", "▁ready", "▁now", ".", "</s>"),
    ("\n", "▁The"),
    ("▁smile", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>", "."),
)
LIKELIEST = " report is ready now."  # after "The"
CHAIN_BONUS, CYCLE = 6.0, 7


@cache
def language_subwords() -> bytes:
    """The subword model: a few words, letters, digits and marks; all else in bytes."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(string.ascii_letters + string.digits + ".,!?'")] * 2),
        model_writer=model,
        model_type="unigram",
        vocab_size=500,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="identity",
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        user_defined_symbols=["\n", *WORDS],
        byte_fallback=True,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


@cache
def language_pieces() -> TextPieces:
    return TextPieces(Subwords.load(language_subwords(), symbols=()))


@cache
def language_tables() -> Mapping[str, Table]:
    """Logits of the next token by the ``last`` token, by the one ``before`` it, and by their ``count``, each
    (key, token)."""
    size = len(language_pieces().subwords)
    id_of = language_pieces().subwords.processor.piece_to_id
    random = np.random.default_rng(5)
    last, before = (random.integers(0, 8, (size, size)).astype(np.float32) / 8 for _ in range(2))
    following = {each: following for chain in CHAINS for each, following in pairwise(chain)}
    for token, piece in enumerate(language_pieces().subwords.pieces(range(size))):
        last[token, id_of(following.get(piece, "▁is"))] += CHAIN_BONUS
    last[:, :EOS_ID] = -50.0
    return {
        "last": last,
        "before": before,
        "count": random.integers(0, 8, (CYCLE, size)).astype(np.float32) / 8,
    }


def log_softmax(logits: Table) -> Table:
    """Over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: Table = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def logprob_of_text(text: str) -> float:
    """Log-probability of a text from its beginning."""
    return sum(logprobs_of([EOS_ID, *language_pieces().subwords.encode(text)]))


def logprobs_of(tokens: Sequence[int]) -> list[float]:
    """Of each token but the first, from the beginning of a text."""
    ids = np.array([tokens[:-1]], np.int32)
    inputs = {
        "ids": ids,
        "lengths": np.array([ids.shape[1]], np.int32),
        "state": np.zeros((1, STATE_SIZE), np.float32),
        "positions": np.arange(ids.shape[1]),
        "targets": np.array(tokens[1:], np.int32),
    }
    return language_reader(inputs)["log_probabilities"].tolist() if ids.size else []


def continued(prompt: str, *, num_units: int = 7) -> dict[str, Any]:
    """A prompt and the likeliest continuation."""
    ids = [EOS_ID, *language_pieces().subwords.encode(prompt)]
    found = list(ids)
    for _ in range(num_units):
        state = np.array([[found[-2] if len(found) > 1 else 0, found[-1], len(found)]], np.float32)
        found.append(int(_logprobs(state)[0].argmax()))
        if found[-1] == EOS_ID:
            break
    new = found[len(ids) :]
    return {
        "prompt": prompt,
        "log_probability": sum(logprobs_of(ids)),
        "continuation": "".join(language_pieces().subwords.spell(new)),
        "scores": logprobs_of(found)[len(ids) - 1 :],
    }


def _logprobs(state: Table) -> Table:
    """Of the next token behind each state (..., 3)."""
    tables, keys = language_tables(), state.astype(np.int64)
    logits = tables["last"][keys[..., 1]] + tables["before"][keys[..., 0]] + tables["count"][keys[..., 2] % CYCLE]
    return log_softmax(logits)


def _read(state: Table, tokens: npt.NDArray[np.int32]) -> Table:
    """The states (row, 3) behind one more token (row,)."""
    return np.stack((state[:, 1], tokens.astype(np.float32), state[:, 2] + 1), axis=1)


def language_step(inputs: Arrays) -> dict[str, npt.NDArray[np.float32 | np.int32]]:
    """The step graph."""
    state = _read(inputs["state"], inputs["tokens"])
    logprobs = _logprobs(state)
    order = np.argsort(-logprobs, axis=1, kind="stable")[:, : int(inputs["num_candidates"][0])]
    return {
        "next_state": state,
        "log_probabilities": logprobs,
        "candidates": order.astype(np.int32),
        "scores": np.take_along_axis(logprobs, order, axis=1),
    }


def language_reader(inputs: Arrays) -> dict[str, Table]:
    """The reading graph."""
    ids, state = inputs["ids"], inputs["state"]
    states = [state]
    for column in ids.T:
        states.append(_read(states[-1], column))
    behind = np.stack(states, axis=1)  # (batch, time + 1, 3)
    asked = behind[:, 1:].reshape(-1, STATE_SIZE)[inputs["positions"]]
    return {
        "log_probabilities": np.take_along_axis(_logprobs(asked), inputs["targets"][:, None], axis=1)[:, 0],
        "next_state": behind[np.arange(len(ids)), inputs["lengths"]],
    }

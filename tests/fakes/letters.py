"""A translation network whose answers are known: letter by letter, other letters in the same case (ROT13) or capitals.

Its subwords are single characters, its attention goes along the diagonal, and each step gives the right character a
probability of 0.9, so that every whole translation scores log 0.9 at a length penalty of 1.
"""

from __future__ import annotations

import codecs
import io
import string
from collections.abc import Callable, Mapping
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import sentencepiece

from service.runtime.session import Arrays
from service.text.placeholders.masking import SYMBOLS
from service.text.subwords import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subwords

CHARACTERS = string.ascii_letters + string.digits + ".,;:!?'\"-()áéíóúñäöüß"
ROT13 = partial(codecs.encode, encoding="rot13")
LANGUAGES: Mapping[str, Callable[[str], str]] = {"es": ROT13, "de": str.upper}
RIGHT = 0.9
SCORE = float(np.log(RIGHT))


def say(text: str, target: str = "es") -> str:
    """What the network answers to a text without protected items, if it has a small letter."""
    return LANGUAGES[target](text)


@cache
def letters() -> bytes:
    """The subword model."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(CHARACTERS)] * 2),
        model_writer=model,
        model_type="char",
        vocab_size=500,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        control_symbols=[f"<2{language}>" for language in LANGUAGES],
        user_defined_symbols=list(SYMBOLS),
        minloglevel=2,
    )
    return model.getvalue()


@cache
def subwords() -> Subwords:
    return Subwords.load(letters())


@cache
def _tables() -> dict[int, npt.NDArray[np.int32]]:
    """By a language's tag: for each id the one that says the same."""
    pieces = subwords().pieces(range(len(subwords())))
    ids = {piece: number for number, piece in enumerate(pieces)}
    tables = {}
    for language, change in LANGUAGES.items():
        same = [ids.get(change(piece), number) for number, piece in enumerate(pieces)]
        tables[subwords().tag(f"<2{language}>")] = np.array(same, np.int32)
    return tables


@cache
def _sayable() -> npt.NDArray[np.int32]:
    """The ids that may be tried in the place of the right one: the end, and small letters, which make no item."""
    return np.array([EOS_ID, *map(subwords().processor.piece_to_id, string.ascii_lowercase)], np.int32)


def encode(inputs: Arrays) -> dict[str, npt.NDArray[np.float32]]:
    """The encoder's graph: the memory is the source itself, the state the place to read next, behind the tag."""
    ids = inputs["ids"]
    return {"state": np.ones((len(ids), 1), np.float32), "annotations": ids[:, :, None].astype(np.float32)}


def step(
    inputs: Arrays, *, ends: bool = True, loops_from: int | None = None
) -> dict[str, npt.NDArray[np.float32 | np.int32]]:
    """The decoder's step; one without an end repeats the last character but one for ever. Sources of ``loops_from``
    tokens and more are read to their middle and then from their beginning again and again."""
    sources, rows = inputs["sources"], np.arange(len(inputs["sources"]))
    memory = inputs["annotations"][:, :, 0].astype(np.int32)[sources]  # (row, time)
    lengths = inputs["lengths"][sources]
    steps = inputs["state"][:, 0].astype(np.int32)
    places = np.minimum(steps, lengths - (1 if ends else 2))
    if loops_from is not None:
        places = np.where(lengths >= loops_from, 1 + (steps - 1) % np.maximum(1, lengths // 2), places)
    tables = _tables()
    read = zip(memory[:, 0].tolist(), memory[rows, places].tolist(), strict=True)
    right = np.array([tables[tag][token] if tag in tables else token for tag, token in read], np.int32)
    candidates = _candidates(right, int(inputs["num_candidates"][0]), ends=ends)
    ranks = np.arange(candidates.shape[1])
    probabilities = np.where(ranks == 0, RIGHT, (1 - RIGHT) * 0.5 ** np.minimum(ranks, 100))
    attention = np.zeros(memory.shape, np.float32)
    attention[rows, places] = 1
    return {
        "next_state": (steps + 1).astype(np.float32)[:, None],
        "scores": np.broadcast_to(np.log(probabilities).astype(np.float32), candidates.shape).copy(),
        "candidates": candidates,
        "attention": attention,
    }


def _candidates(right: npt.NDArray[np.int32], count: int, *, ends: bool) -> npt.NDArray[np.int32]:
    """The right one first, then those behind it, (row, candidate)."""
    others = _sayable() if ends else _sayable()[1:]
    is_right = others == right[:, None]
    first = np.where(is_right.any(axis=1), is_right.argmax(axis=1), -1)
    ranks = np.arange(1, min(count, len(others)))
    return np.concatenate((right[:, None], others[(first[:, None] + ranks) % len(others)]), axis=1)

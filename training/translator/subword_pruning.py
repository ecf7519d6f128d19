"""Pieces of a subword model that a translator's text does not use, and the model without them.

A unigram model (Kudo 2018) cuts a text into the pieces whose scores sum to the most. Without pieces that no best cut
has, every best cut stays what it is; only texts that would have used one of them are cut anew, into smaller pieces.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from sentencepiece import sentencepiece_model_pb2 as proto

from service.text.pipeline import Ids
from service.text.subwords import SPACE, Subwords

PieceType = proto.ModelProto.SentencePiece.Type


def count_pieces(texts: Iterable[str], subwords: Subwords) -> Ids:
    """Count the pieces (vocabulary,) of the texts."""
    counts = np.zeros(len(subwords), np.int32)
    for text in texts:
        np.add.at(counts, subwords.encode(text), 1)
    return counts


def used_pieces(model: bytes, counts: Ids, *, fewest: int) -> Ids:
    """The ids, rising, of pieces that occur ``fewest`` times or more, and of all others that some text may need.

    These are special symbols and tags, bytes, symbols of protected items, and single characters with or without a space
    before them.
    """
    pieces = _read(model).pieces
    is_needed = [each.type != PieceType.NORMAL or len(each.piece.replace(SPACE, "")) <= 1 for each in pieces]
    return np.flatnonzero(np.array(is_needed) | (counts >= fewest)).astype(np.int32)


def with_pieces(model: bytes, ids: Ids) -> bytes:
    """The model with these of its pieces alone, in this order."""
    content = _read(model)
    pieces = [content.pieces[each] for each in ids]
    del content.pieces[:]
    content.pieces.extend(pieces)
    content.trainer_spec.vocab_size = len(pieces)
    found: bytes = content.SerializeToString()
    return found


def _read(model: bytes) -> proto.ModelProto:
    content = proto.ModelProto()
    content.ParseFromString(model)
    return content

"""Subwords of all languages of a translator in one vocabulary, learned by sentencepiece (Kudo and Richardson 2018)."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sentencepiece

from service.text.placeholders.masking import SYMBOLS
from service.text.subwords import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subwords

TAG = re.compile(r"<2[a-z]{2}>")
CHARACTER_COVERAGE = 0.9999  # rarer characters are spelled in bytes
SAMPLING_TEMPERATURE = 0.3  # alpha of Kudo 2018: how far other cuts are from the best one


def tag_of(language: str) -> str:
    """The control symbol of a target language, as in Johnson et al. 2017."""
    return f"<2{language}>"


def learn_subwords(texts: Iterable[str], *, size: int, languages: Sequence[str]) -> bytes:
    """A unigram model (Kudo 2018) as bytes; ``size`` counts special symbols too."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="unigram",
        vocab_size=size,
        character_coverage=CHARACTER_COVERAGE,
        split_digits=True,
        pad_id=PAD_ID,
        unk_id=UNK_ID,
        bos_id=BOS_ID,
        eos_id=EOS_ID,
        control_symbols=[tag_of(language) for language in languages],
        user_defined_symbols=list(SYMBOLS),
        byte_fallback=True,
        hard_vocab_limit=False,  # few texts have fewer subwords
        num_threads=1,
        minloglevel=1,
    )
    return model.getvalue()


def with_tags(model: bytes, languages: Sequence[str]) -> bytes:
    """A model whose control symbols are the tags of these languages, the others left as they are.

    A network into other languages can start from its table. Raises ValueError if there are more languages than tags.
    """
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = [
        processor.id_to_piece(number) for number in range(processor.get_piece_size()) if processor.is_control(number)
    ]
    wanted = [tag_of(language) for language in languages]
    free = [piece for piece in pieces if TAG.fullmatch(piece) and piece not in wanted]
    missing = [tag for tag in wanted if tag not in pieces]
    if len(missing) > len(free):
        raise ValueError(f"{len(free)} tags of other languages, {len(missing)} are needed: {', '.join(missing)}")
    for old, new in zip(free, missing, strict=False):
        model = model.replace(old.encode(), new.encode())  # of one length, as lengths stand before strings in the file
    return model


@dataclass(frozen=True, slots=True)
class SubwordPairEncoder:
    """An encoder of both sides into ids. A share of rows is cut at random instead of best (subword regularisation, Kudo
    2018)."""

    subwords: Subwords
    sampling: float = 0.0  # share of rows cut at random

    def encode_source(self, text: str, target_language: str) -> list[int]:
        return [self.subwords.tag(tag_of(target_language)), *self.encode_target(text), EOS_ID]

    def encode_target(self, text: str) -> list[int]:
        if random.random() >= self.sampling:
            return self.subwords.encode(text)
        ids: list[int] = self.subwords.processor.encode(
            text, enable_sampling=True, alpha=SAMPLING_TEMPERATURE, nbest_size=-1
        )
        return ids

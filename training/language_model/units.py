"""Units that a language model reads and writes: subwords, characters, words or tokens, and how text becomes their
ids."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece

from service.bundle import SUBWORDS
from service.text.pipeline import Ids, TextEncoder, Vocabulary
from service.text.subwords import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subwords
from service.text.tokenizer import words_of
from training.language_model.config import LanguageModelRun
from training.vocabularies import count_words, vocabularies_of_run, vocabulary_of_texts

END = "</s>"  # between texts; no word that the tokenizer cuts
NEWLINE = "\n"
PIECES = ("subwords", "characters")  # kinds that a sentencepiece model spells any text with
CHARACTER_COVERAGE = {"unigram": 0.9999, "char": 0.99999}  # what is rarer is spelled in bytes
SAMPLE_CHARACTERS = 6_000_000  # of text that subwords are learned from
# Typographic quotes are read as those of keyboards, and a space that does not break as a space.
FOLDED = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Text to ids; ``end_id`` stands before, between and behind texts."""

    size: int
    end_id: int
    encode: Callable[[str], Ids]


def units_of_run(config: LanguageModelRun, folder: Path, texts: Sequence[str]) -> Units:
    """Return the units that the run in ``folder`` began with, else new ones from its training texts, kept there."""
    if config.units in PIECES:
        path = folder / SUBWORDS
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(learn_pieces(texts, kind=config.units, size=config.vocabulary_size))
        return subword_units(Subwords.load(path, symbols=()))
    make = vocabulary_of_words if config.units == "words" else vocabulary_of_tokens
    vocabulary = vocabularies_of_run(folder, lambda: {"words": make(texts, config.vocabulary_size)})["words"]
    return word_units(vocabulary) if config.units == "words" else token_units(vocabulary)


def subword_units(subwords: Subwords) -> Units:
    """Pieces of a sentencepiece model."""
    return Units(size=len(subwords), end_id=EOS_ID, encode=lambda text: np.array(subwords.encode(text), dtype=np.int32))


def word_units(vocabulary: Vocabulary) -> Units:
    """Normalised words."""
    encoder = TextEncoder(vocabulary, cache_size=500_000)
    return Units(
        size=len(vocabulary), end_id=vocabulary.encode(END), encode=lambda text: encoder.encode(words_of(text))
    )


def token_units(vocabulary: Vocabulary) -> Units:
    """Return the tokens between spaces; a line ends with :data:`END`."""

    def encode(text: str) -> Ids:
        tokens = text.replace(NEWLINE, f" {END} ").split()
        return np.array([vocabulary.encode(token) for token in tokens], dtype=np.int32)

    return Units(size=len(vocabulary), end_id=vocabulary.encode(END), encode=encode)


def vocabulary_of_words(texts: Iterable[str], size: int) -> Vocabulary:
    """The most frequent normalised words."""
    return vocabulary_of_texts(texts, max_words=size, first=(END,))


def vocabulary_of_tokens(texts: Iterable[str], size: int) -> Vocabulary:
    """The most frequent tokens; ``<unk>`` of the text is the vocabulary's own."""
    counts = count_words(text.split() for text in texts)
    counts.pop("<unk>", None)
    return Vocabulary.of((END, *(token for token, _ in counts.most_common(size))))


def learn_pieces(texts: Sequence[str], *, kind: str, size: int) -> bytes:
    """A sentencepiece model that spells any text: a unigram model (Kudo 2018) over a sample of the texts, or one of
    characters, which leaves white space as it is. A line break is a piece."""
    model = io.BytesIO()
    characters = kind == "characters"
    with tempfile.TemporaryDirectory() as scratch:
        rules = Path(scratch) / "rules.tsv"
        rules.write_text("".join(f"{ord(a):X}\t{ord(b):X}\n" for a, b in FOLDED.items()))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(_sample(texts)),
            model_writer=model,
            model_type="char" if characters else "unigram",
            vocab_size=size,
            character_coverage=CHARACTER_COVERAGE["char" if characters else "unigram"],
            split_digits=True,
            pad_id=PAD_ID,
            unk_id=UNK_ID,
            bos_id=BOS_ID,
            eos_id=EOS_ID,
            user_defined_symbols=[NEWLINE],
            byte_fallback=True,
            hard_vocab_limit=False,
            normalization_rule_tsv=str(rules),
            remove_extra_whitespaces=not characters,
            add_dummy_prefix=not characters,
            num_threads=1,
            minloglevel=1,
        )
    return model.getvalue()


def _sample(texts: Sequence[str]) -> list[str]:
    """Lines of texts in random order, up to :data:`SAMPLE_CHARACTERS`."""
    lines = [line for text in texts for line in text.split(NEWLINE) if line]
    chosen: list[str] = []
    total = 0
    for place in np.random.default_rng(0).permutation(len(lines)):
        if total > SAMPLE_CHARACTERS:
            break
        chosen.append(lines[place])
        total += len(lines[place])
    return chosen

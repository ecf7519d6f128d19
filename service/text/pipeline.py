"""Vocabularies, encoders and batches: words, their characters and symbols become ids, and rows of ids become padded
batches, for training and serving alike."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from service.text.tokenizer import Sentence

Ids = npt.NDArray[np.int32]
PAD, UNK, MASK = "<pad>", "<unk>", "<mask>"
PAD_ID, UNK_ID, MASK_ID = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Tokens by id. The first three are always padding, unknown and mask; ``pad_id`` is 0. Those three are no words: a
    text that spells one of them has an unknown word there."""

    tokens: tuple[str, ...]
    ids: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.tokens[:3] != (PAD, UNK, MASK):
            raise ValueError(f"a vocabulary begins with {PAD} {UNK} {MASK}")
        if len(set(self.tokens)) != len(self.tokens):
            raise ValueError("a vocabulary holds each token once")
        object.__setattr__(self, "ids", {token: i for i, token in enumerate(self.tokens) if i > MASK_ID})

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, token: str) -> int:
        """The id of a token; that of ``<unk>`` if it is not in the vocabulary."""
        return self.ids.get(token, UNK_ID)

    @classmethod
    def of(cls, tokens: Iterable[str]) -> Vocabulary:
        """A vocabulary of these tokens, behind the three special ones."""
        special = (PAD, UNK, MASK)
        return cls((*special, *(token for token in tokens if token not in special)))


def dump_vocabularies(vocabularies: Mapping[str, Vocabulary], path: Path) -> None:
    """Write named vocabularies as one JSON file of lists."""
    content = {name: vocabulary.tokens for name, vocabulary in vocabularies.items()}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def load_vocabularies(path: Path) -> dict[str, Vocabulary]:
    """Read what :func:`dump_vocabularies` wrote. Raises ValueError on anything else."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("expected an object of lists")
    return {name: Vocabulary(tuple(tokens)) for name, tokens in content.items()}


WORD_BEGIN, WORD_END = "\x02", "\x03"  # mark a word's edges among its characters
SUFFIX_LENGTH = 3
LONGEST_KEPT = 64  # characters; 50,000 longer words could fill the memory
_DIGIT = re.compile(r"\d")
_REPEATED = re.compile(r"(.)\1{2,}", re.DOTALL)
_PARTS = re.compile(r"([-–—/_.'’*+&#@])")
# Variation selectors, the zero-width joiner, skin tones, and the tags that follow a flag.
_MODIFIERS = re.compile("[\ufe0e\ufe0f\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
# Emoji by their variation selector that Unicode counts as a letter or as punctuation: ‼ ⁉ ℹ 〰
_SELECTED = re.compile("[\u203c\u2049\u2139\u3030]\ufe0f")
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"'})


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """A sentence and its row for the network."""

    sentence: Sentence
    ids: Ids  # (time, feature)


def normalize(word: str) -> str:
    """Return the key under which a word is looked up: lower case, plain quotes, every digit a 0."""
    return _DIGIT.sub("0", word.translate(_QUOTES).lower())


class WordEncoder:
    """Gives each word its features: [word, suffix, character 1 .. ``num_characters``].

    Words are looked up normalised, so case lives in the characters alone. Of a longer word the characters
    seen are its beginning and its end. Rows are cached by word: a text of common words costs one table
    look-up each; one too long to be common is not kept. Safe to call from several threads.
    """

    def __init__(
        self, vocabularies: Mapping[str, Vocabulary], *, num_characters: int, cache_size: int = 50_000
    ) -> None:
        self._words = vocabularies["words"]
        self._suffixes = vocabularies["suffixes"]
        self._characters = vocabularies["characters"]
        self._num_characters = num_characters
        self._head = (num_characters - 2 + 1) // 2
        self._tail = num_characters - 2 - self._head
        self._cache_size = cache_size
        self._table = np.zeros((1024, self.num_features), np.int32)
        self._rows: dict[str, int] = {}
        self._lock = Lock()

    @property
    def num_features(self) -> int:
        return 2 + self._num_characters

    def encode(self, words: Sequence[str]) -> Ids:
        """Return the rows of the words of one sentence, (time, feature)."""
        with self._lock:
            try:
                return self._table.take([self._rows[word] for word in words], axis=0)
            except KeyError:
                return self._encode_new(words)

    def _encode_new(self, words: Sequence[str]) -> Ids:
        """Encode words of which some are not in the cache; all but the long ones are there afterwards."""
        self._make_room(len(words))
        ids = self._table[[self._row(word) if len(word) <= LONGEST_KEPT else 0 for word in words]]
        for place, word in enumerate(words):
            if len(word) > LONGEST_KEPT:
                ids[place] = self.features(word)
        return ids

    def _make_room(self, count: int) -> None:
        """Forget everything once the cache is full: simpler than ageing, and as good for natural text."""
        if len(self._rows) + count > self._cache_size:
            self._rows.clear()
        needed = len(self._rows) + count
        if needed > len(self._table):
            grown = np.zeros((max(needed, 2 * len(self._table)), self.num_features), np.int32)
            grown[: len(self._table)] = self._table
            self._table = grown

    def _row(self, word: str) -> int:
        row = self._rows.get(word)
        if row is None:
            row = self._rows[word] = len(self._rows)
            self._table[row] = self.features(word)
        return row

    def features(self, word: str) -> list[int]:
        """Return a word's ids, uncached."""
        key = normalize(word)
        if len(word) > self._head + self._tail:
            word = word[: self._head] + word[len(word) - self._tail :]
        encode = self._characters.encode
        characters = [encode(WORD_BEGIN), *map(encode, word), encode(WORD_END)]
        characters += [PAD_ID] * (self._num_characters - len(characters))
        return [self._words.encode(key), self._suffixes.encode(key[-SUFFIX_LENGTH:]), *characters]


class TextEncoder:
    """Gives a whole text one row of word ids, for networks that read it from end to end.

    Words are looked up normalised. One that is not in the vocabulary is tried without the letters that somebody
    repeated (`sooooo`); an emoji or symbol is read as its parts, and a part that is not known as the words of its
    Unicode name; another word is tried in its parts (`well-made`); what is still not known is unknown. Safe to call
    from several threads.
    """

    def __init__(self, words: Vocabulary, *, cache_size: int = 50_000) -> None:
        self._words = words
        self._cache_size = cache_size
        self._cache: dict[str, tuple[int, ...]] = {}

    def encode(self, words: Sequence[str]) -> Ids:
        """Return the ids (time,), where time is at least the number of words."""
        cache = self._cache
        row: list[int] = []
        for word in words:
            ids = cache.get(word)
            row += self._look_up(word) if ids is None else ids
        return np.array(row, np.int32)

    def _look_up(self, word: str) -> tuple[int, ...]:
        ids = self.ids_of(normalize(word))
        if len(word) <= LONGEST_KEPT:
            if len(self._cache) >= self._cache_size:
                self._cache = {}
            self._cache[word] = ids
        return ids

    def ids_of(self, key: str) -> tuple[int, ...]:
        """Return a normalised word's ids, uncached."""
        known = self._words.ids
        for form in (key, _REPEATED.sub(r"\1\1", key), _REPEATED.sub(r"\1", key)):
            if form in known:
                return (known[form],)
        if symbols := parts_of_symbol(key):
            return tuple(i for symbol in symbols for i in self._ids_of_symbol(symbol))
        parts = [part for part in _PARTS.split(key) if part]
        if len(parts) > 1 and any(part in known for part in parts):
            return tuple(self._words.encode(part) for part in parts)
        return (UNK_ID,)

    def _ids_of_symbol(self, symbol: str) -> tuple[int, ...]:
        if symbol in self._words.ids:
            return (self._words.ids[symbol],)
        ids = tuple(i for word in name_words(symbol) for i in self.ids_of(normalize(word)))
        return ids if any(i != UNK_ID for i in ids) else (UNK_ID,)


def parts_of_symbol(word: str) -> list[str]:
    """The characters of a word of emoji or symbols, without modifiers and joiners; none if it is any other word.
    Symbols are the characters outside ASCII of Unicode's categories S. Skin tones that stand alone are parts."""
    parts = list(_MODIFIERS.sub("", word)) or list(word.strip("\ufe0e\ufe0f\u200d"))
    if _KEYCAP.fullmatch(word) or _SELECTED.fullmatch(word) or all(map(_is_symbol, parts)):
        return parts
    return []


def name_words(character: str) -> list[str]:
    """The words of a character's Unicode name in lower case; none if it has no name. Names never change, but this
    Python may know fewer characters than a later one (``unicodedata.unidata_version``)."""
    return unicodedata.name(character, "").lower().split()


def _is_symbol(character: str) -> bool:
    return not character.isascii() and unicodedata.category(character)[0] == "S"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Several rows side by side. ``ids`` may carry a trailing feature axis; ``pad_id`` is 0."""

    ids: Ids  # (batch, time) or (batch, time, feature), padded on the right
    lengths: Ids  # (batch,), tokens before padding


def pad(rows: Sequence[Ids], *, length: int | None = None) -> Batch:
    """Lay rows (time,) or (time, feature) under one another, padded with 0 to the longest, or to a ``length``."""
    lengths = np.fromiter(map(len, rows), np.int32, len(rows))
    ids = np.zeros((len(rows), length or int(lengths.max()), *rows[0].shape[1:]), np.int32)
    for target, row in zip(ids, rows, strict=True):
        target[: len(row)] = row
    return Batch(ids=ids, lengths=lengths)

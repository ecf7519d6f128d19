"""Vocabularies from counted words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.bundle import VOCABULARIES
from service.text.pipeline import SUFFIX_LENGTH, WORD_BEGIN, WORD_END, normalize
from service.text.tokenizer import words_of
from service.text.vocabulary import Vocabulary, dump_vocabularies, load_vocabularies


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyConfig:
    min_count: int = 2
    max_words: int = 25_000
    min_suffix_count: int = 5
    min_character_count: int = 5
    num_characters: int = 20  # seen of each word, its two marks included


def count_words(sentences: Iterable[Sequence[str]]) -> Counter[str]:
    """How often each word stands, as it is written."""
    counts: Counter[str] = Counter()
    for words in sentences:
        counts.update(words)
    return counts


def build_vocabularies(counts: Mapping[str, int], config: VocabularyConfig) -> dict[str, Vocabulary]:
    """``words``, ``suffixes`` and ``characters``, each most frequent first."""
    words, suffixes, characters = Counter[str](), Counter[str](), Counter[str]()
    for word, count in counts.items():
        key = normalize(word)
        words[key] += count
        suffixes[key[-SUFFIX_LENGTH:]] += count
        for character in word:
            characters[character] += count
    frequent = [word for word, count in words.most_common(config.max_words) if count >= config.min_count]
    return {
        "words": Vocabulary.of(frequent),
        "suffixes": Vocabulary.of(_at_least(suffixes, config.min_suffix_count)),
        "characters": Vocabulary.of((WORD_BEGIN, WORD_END, *_at_least(characters, config.min_character_count))),
    }


def vocabulary_of_texts(
    texts: Iterable[str], *, max_words: int, min_count: int = 1, first: Sequence[str] = ()
) -> Vocabulary:
    """The most frequent normalised words of whole texts, behind those of ``first``."""
    counts = count_words([normalize(word) for word in words_of(text)] for text in texts)
    return Vocabulary.of((*first, *(word for word, n in counts.most_common(max_words) if n >= min_count)))


def vocabularies_of_run(folder: Path, make: Callable[[], dict[str, Vocabulary]]) -> dict[str, Vocabulary]:
    """Those that a run began with, else new ones, kept in its folder: a resumed run must not get others."""
    path = folder / VOCABULARIES
    if path.exists():
        return load_vocabularies(path)
    vocabularies = make()
    folder.mkdir(parents=True, exist_ok=True)
    dump_vocabularies(vocabularies, path)
    return vocabularies


def _at_least(counts: Counter[str], minimum: int) -> list[str]:
    return [key for key, count in counts.most_common() if count >= minimum and key not in (WORD_BEGIN, WORD_END)]


def dropout_rates(vocabulary: Vocabulary, counts: Mapping[str, int], strength: float) -> npt.NDArray[np.float64]:
    """By word id, how often a word is to be made unknown: rare ones often, so that unknown ones are known."""
    keys = Counter[str]()
    for word, count in counts.items():
        keys[normalize(word)] += count
    return np.array([0.0 if i < 3 else strength / (strength + keys[w]) for i, w in enumerate(vocabulary.tokens)])

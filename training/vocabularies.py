"""Vocabularies made from counts of words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.bundle import VOCABULARIES
from service.text.pipeline import (
    SUFFIX_LENGTH,
    WORD_BEGIN,
    WORD_END,
    Vocabulary,
    dump_vocabularies,
    load_vocabularies,
    normalize,
)
from service.text.tokenizer import words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyConfig:
    min_count: int = 2
    max_words: int = 25_000
    min_suffix_count: int = 5
    min_character_count: int = 5
    num_characters: int = 20  # of each word that the network reads, the marks of begin and end included


def count_words(sentences: Iterable[Sequence[str]]) -> Counter[str]:
    """The number of occurrences of each word as it is written."""
    counts: Counter[str] = Counter()
    for words in sentences:
        counts.update(words)
    return counts


def build_vocabularies(counts: Mapping[str, int], config: VocabularyConfig) -> dict[str, Vocabulary]:
    """The vocabularies ``words``, ``suffixes`` and ``characters``, each with the most frequent entries first."""
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
    """The vocabulary of ``first`` followed by the most frequent normalised words of whole texts."""
    counts = count_words([normalize(word) for word in words_of(text)] for text in texts)
    return Vocabulary.of((*first, *(word for word, n in counts.most_common(max_words) if n >= min_count)))


def vocabularies_of_run(folder: Path, make: Callable[[], dict[str, Vocabulary]]) -> dict[str, Vocabulary]:
    """The vocabularies in a run's folder; new ones, written there, if it has none. A resumed run so keeps its ids."""
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
    """The rate, by word id, at which a word is replaced by the unknown word in training. Rare words are replaced often,
    so that the unknown word is trained."""
    keys = Counter[str]()
    for word, count in counts.items():
        keys[normalize(word)] += count
    return np.array([0.0 if i < 3 else strength / (strength + keys[w]) for i, w in enumerate(vocabulary.tokens)])

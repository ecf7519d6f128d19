"""Baselines of the tagger: the most frequent tag of each word, and a linear model over a window of words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Self

Words = Sequence[str]
Tags = Sequence[str]


class MostFrequentTag:
    """A tagger that gives each word its most frequent tag in training, and an unknown word always the same one.

    About 90 % on English parts of speech (Charniak et al. 1993, "Equations for part-of-speech tagging").
    """

    def __init__(self, *, unknown: str) -> None:
        self.unknown = unknown
        self._tag_of: dict[str, str] = {}

    def fit(self, sentences: Sequence[Words], tags: Sequence[Tags]) -> Self:
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for words, row in zip(sentences, tags, strict=True):
            for word, tag in zip(words, row, strict=True):
                counts[word][tag] += 1
        # Ties go to the alphabetically first tag, so that the order of the corpus changes nothing.
        self._tag_of = {word: min(c, key=lambda tag: (-c[tag], tag)) for word, c in counts.items()}
        return self

    def tag(self, words: Words) -> list[str]:
        return [self._tag_of.get(word, self.unknown) for word in words]


class LinearTagger:
    """One linear classifier a tag over hashed features of a word and its two neighbours on each side.

    Every word is decided alone, so span tags may come out in an illegal order. Needs scikit-learn.
    """

    def __init__(self, *, num_features: int = 2**18, num_epochs: int = 15, seed: int = 1) -> None:
        from sklearn.feature_extraction import FeatureHasher
        from sklearn.linear_model import SGDClassifier

        self._hasher = FeatureHasher(n_features=num_features, input_type="string", alternate_sign=False)
        # On EWT dev this was better than the hinge and logistic losses, than averaged weights, and than a
        # tenth of this regularisation, for upos and xpos alike.
        self._model = SGDClassifier(loss="modified_huber", alpha=1e-5, max_iter=num_epochs, tol=None, random_state=seed)

    def fit(self, sentences: Sequence[Words], tags: Sequence[Tags]) -> Self:
        self._model.fit(self._features(sentences), [tag for row in tags for tag in row])
        return self

    def tag(self, words: Words) -> list[str]:
        return self.tag_all([words])[0]

    def tag_all(self, sentences: Sequence[Words]) -> list[list[str]]:
        """The tags of many sentences at once, which is much faster than one by one."""
        tags = iter(self._model.predict(self._features(sentences)).tolist() if any(sentences) else ())
        return [[next(tags) for _ in words] for words in sentences]

    def _features(self, sentences: Sequence[Words]) -> Any:  # sparse (word, feature)
        return self._hasher.transform(row for words in sentences for row in window_features(words))


def window_features(words: Words) -> Iterator[list[str]]:
    """The names of the features of each word: itself, its affixes and shape, its neighbours."""
    padded = ["<s>", "<s>", *words, "</s>", "</s>"]
    lower = [word.lower() for word in padded]
    shapes = [shape_of(word) for word in padded]
    for i in range(2, len(padded) - 2):
        # The constant lets a rare tag learn that it is rare; the model's own intercept learns too slowly.
        row = ["any", f"w={padded[i]}", f"l={lower[i]}", f"s={shapes[i]}"]
        for size in range(1, min(4, len(lower[i])) + 1):
            row += (f"p={lower[i][:size]}", f"e={lower[i][-size:]}")
        for step in (-2, -1, 1, 2):
            row.append(f"l{step}={lower[i + step]}")
        for step in (-1, 1):
            row += (f"s{step}={shapes[i + step]}", f"e{step}={lower[i + step][-3:]}")
        row += (f"l-1,0={lower[i - 1]} {lower[i]}", f"l0,1={lower[i]} {lower[i + 1]}")
        row += (f"l-2,-1={lower[i - 2]} {lower[i - 1]}", f"l1,2={lower[i + 1]} {lower[i + 2]}")
        yield row


def shape_of(word: str) -> str:
    """The shape of a word, runs of one kind of character as one: ``Xx`` for Peter, ``X.X.`` for U.S., ``d-x`` for
    30-odd."""
    return re.sub(r"(.)\1+", r"\1", "".join(map(_kind_of, word)))


def _kind_of(character: str) -> str:
    if character.isalpha():
        return "X" if character.isupper() else "x"
    return "d" if character.isdigit() else character

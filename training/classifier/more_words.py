"""Vectors of words that a published classifier does not know, by ridge regression from GloVe's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from wordfreq import top_n_list

from service.text.pipeline import Vocabulary, normalize
from training.corpora import glove

Matrix = npt.NDArray[np.float64]

FREQUENT = 100_000  # English words that are candidates, by frequency (wordfreq: Speer 2022)
PENALTY = 30.0  # of the squared weights, on GloVe's vectors as they are


def with_more_words(
    vocabulary: Vocabulary, table: Tensor, *, first: Iterable[str], count: int, data_dir: Path | None
) -> tuple[Vocabulary, Tensor]:
    """The vocabulary with at most ``count`` more words and its table (word, size) with their rows. The words are those
    of ``first``, then frequent ones, as far as GloVe has them.

    A linear map from GloVe is fitted on the words that both have, and gives the rows of the others (as Kiros et al.
    2015 did for the words of skip-thought vectors).
    """
    known = vocabulary.tokens[3:]
    frequent = (word for word in top_n_list("en", FREQUENT) if normalize(word) == word)
    candidates = [word for word in dict.fromkeys([*first, *frequent]) if word not in vocabulary.ids]
    vectors = glove.read_vectors({*known, *candidates}, data_dir)
    shared = [word for word in known if word in vectors]
    added = [word for word in candidates if word in vectors][:count]
    rows = table[[vocabulary.encode(word) for word in shared]].double().numpy()
    weights = ridge(_inputs(shared, vectors), rows)
    more = torch.from_numpy(_inputs(added, vectors) @ weights).float()
    return Vocabulary.of([*known, *added]), torch.cat([table, more])


def ridge(x: Matrix, y: Matrix) -> Matrix:
    """The weights (input, output) of a ridge regression of ``y`` (row, output) on ``x`` (row, input)."""
    return np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ y)


def _inputs(words: Sequence[str], vectors: Mapping[str, glove.Vector]) -> Matrix:
    return np.array([[*vectors[word], 1.0] for word in words], np.float64).reshape(len(words), glove.DIMENSIONS + 1)

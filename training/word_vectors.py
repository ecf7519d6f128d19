"""Word tables that start from published vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from service.text.pipeline import Vocabulary
from training.corpora import glove


def start_from_vectors(table: nn.Embedding, vocabulary: Vocabulary, data_dir: Path | None) -> None:
    """Put GloVe's vectors (Pennington et al. 2014), scaled to the table's spread, into its first columns, in place."""
    vectors = glove.read_vectors(set(vocabulary.tokens), data_dir)
    with torch.no_grad():
        scale = float(table.weight.std()) / float(np.std(list(vectors.values())))
        for word, vector in vectors.items():
            table.weight[vocabulary.encode(word), : len(vector)] = torch.from_numpy(vector * scale)

"""Pretraining on plain text by predicting masked words from both sides (cloze; Baevski et al. 2019, Devlin et al.
2019).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from training.networks.tagger import Tagger
from training.tagger.batches import ClozeBatch


class ClozeModel(nn.Module):
    """A tagger's features and encoder with an output layer tied to the word embeddings (Press and Wolf 2017)."""

    def __init__(self, tagger: Tagger) -> None:
        super().__init__()
        self.tagger = tagger
        words = tagger.features.words
        self.project = nn.Linear(tagger.encoder.output_size, words.embedding_dim)
        self.bias = nn.Parameter(words.weight.new_zeros(words.num_embeddings))

    def loss(self, batch: ClozeBatch) -> Tensor:
        """Mean negative log-likelihood, in nats, of the hidden words."""
        rows = self.tagger.encode(batch.ids, batch.lengths)[batch.masked]
        logits = functional.linear(self.project(rows), self.tagger.features.words.weight, self.bias)
        return functional.cross_entropy(logits.float(), batch.targets)

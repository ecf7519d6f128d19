"""The text classifier: words, a stacked recurrent encoder, one vector of the whole text, logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.classifier.batches import TextBatch
from training.networks.layers import RecurrentEncoder, SharedDropout


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierConfig:
    """Sizes of a classifier; ``cell`` is rnn, gru or lstm, ``pooling`` last, mean, max or attention."""

    cell: str = "lstm"
    bidirectional: bool = True
    num_layers: int = 1
    word_size: int = 256
    hidden_size: int = 384
    pooling: str = "max"
    dropout: float = 0.4
    input_dropout: float = 0.3
    word_dropout: float = 0.05  # of whole words in training
    weight_drop: float = 0.3
    label_smoothing: float = 0.05


class Classifier(nn.Module):
    """A classifier of whole texts with logits (batch, label); in a ``multi_label`` task each label's probability is its
    logit's sigmoid.

    ``num_words`` is the size of the vocabulary, ``num_labels`` the number of labels.
    """

    def __init__(self, *, num_words: int, num_labels: int, config: ClassifierConfig, multi_label: bool = False) -> None:
        super().__init__()
        if config.pooling not in POOLINGS:
            raise ValueError(f"unknown pooling {config.pooling!r}; known: {', '.join(POOLINGS)}")
        self.config = config
        self.multi_label = multi_label
        self.words = nn.Embedding(num_words, config.word_size, padding_idx=0)
        nn.init.normal_(self.words.weight, std=0.1)
        self.input_dropout = SharedDropout(config.input_dropout)
        self.encoder = RecurrentEncoder(
            cell=config.cell,
            input_size=config.word_size,
            hidden_size=config.hidden_size,
            num_layers=config.num_layers,
            bidirectional=config.bidirectional,
            dropout=config.dropout,
            weight_drop=config.weight_drop,
        )
        self.attention = nn.Linear(self.encoder.output_size, 1) if config.pooling == "attention" else None
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(self.encoder.output_size, num_labels)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Map ids (batch, time) and lengths (batch,) to logits (batch, label)."""
        rows = self.words(ids)
        if self.training and self.config.word_dropout:
            rows = rows * torch.empty_like(rows[:, :, :1]).bernoulli_(1 - self.config.word_dropout)
        rows = self.encoder(self.input_dropout(rows), lengths)
        is_real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        pooled = POOLINGS[self.config.pooling](self, rows, lengths, is_real[:, :, None])
        return self.head(self.dropout(pooled))

    def loss(self, batch: TextBatch) -> Tensor:
        """The mean loss of a text in nats: cross-entropy against the target's probabilities, or in a multi-label task
        the sum of each label's binary cross-entropy."""
        logits = self(batch.ids, batch.lengths).float()
        if self.multi_label:
            losses = functional.binary_cross_entropy_with_logits(logits, batch.targets, reduction="none")
            return losses.sum(-1).mean()
        return functional.cross_entropy(logits, batch.targets, label_smoothing=self.config.label_smoothing)


Pooling = Callable[[Classifier, Tensor, Tensor, Tensor], Tensor]


def pool_last(network: Classifier, rows: Tensor, lengths: Tensor, is_real: Tensor) -> Tensor:
    """The last state of each direction: at the last token forwards, at the first backwards."""
    last = rows[torch.arange(len(rows), device=rows.device), lengths - 1]
    size = network.encoder.hidden_size
    return torch.cat([last[:, :size], rows[:, 0, size:]], dim=-1)


def pool_mean(network: Classifier, rows: Tensor, lengths: Tensor, is_real: Tensor) -> Tensor:
    return rows.masked_fill(~is_real, 0.0).sum(1) / lengths[:, None]


def pool_max(network: Classifier, rows: Tensor, lengths: Tensor, is_real: Tensor) -> Tensor:
    return rows.masked_fill(~is_real, -torch.inf).amax(1)


def pool_attention(network: Classifier, rows: Tensor, lengths: Tensor, is_real: Tensor) -> Tensor:
    """A mean by learned weights (Yang et al. 2016, with one query vector)."""
    assert network.attention is not None
    scores = network.attention(rows).float().masked_fill(~is_real, -torch.inf)
    return (scores.softmax(1) * rows.masked_fill(~is_real, 0.0)).sum(1)


POOLINGS: dict[str, Pooling] = {"last": pool_last, "mean": pool_mean, "max": pool_max, "attention": pool_attention}

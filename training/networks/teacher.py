"""A pretrained Transformer sentence encoder with a classification head. It is a teacher for distillation and never
served.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

MAX_PIECES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceBatch:
    """Texts as word pieces."""

    ids: Tensor  # (batch, time)
    mask: Tensor  # (batch, time), 1 where there is a piece
    targets: Tensor  # (batch, label)

    def to(self, device: torch.device) -> PieceBatch:
        return PieceBatch(ids=self.ids.to(device), mask=self.mask.to(device), targets=self.targets.to(device))


class Teacher(nn.Module):
    """MiniLM (Wang et al. 2020; six layers of 384, as sentence-transformers/all-MiniLM-L6-v2, Apache 2.0), the mean of
    its pieces, and a linear layer. Needs ``transformers``.

    The loss is cross-entropy against the targets, or with ``multi_label`` binary cross-entropy of each label.
    """

    def __init__(
        self,
        folder: Path,
        num_labels: int,
        *,
        multi_label: bool = False,
        dropout: float = 0.1,
        label_smoothing: float = 0.05,
    ) -> None:
        from transformers import AutoModel

        super().__init__()
        self.encoder = AutoModel.from_pretrained(folder, add_pooling_layer=False)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.encoder.config.hidden_size, num_labels)
        self.multi_label = multi_label
        self.label_smoothing = label_smoothing

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits (batch, label)."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[:, :, None].to(states.dtype)
        return self.head(self.dropout((states * weights).sum(1) / weights.sum(1)))

    def loss(self, batch: PieceBatch) -> Tensor:
        """The mean loss of a text, in nats."""
        logits = self(batch.ids, batch.mask).float()
        if self.multi_label:
            return functional.binary_cross_entropy_with_logits(logits, batch.targets)
        return functional.cross_entropy(logits, batch.targets, label_smoothing=self.label_smoothing)


class Pieces:
    """The word piece tokenizer of the teacher."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(folder)

    def rows(self, texts: Sequence[str]) -> list[list[int]]:
        """The word pieces of texts, of each at most ``MAX_PIECES``."""
        return self._tokenizer(list(texts), truncation=True, max_length=MAX_PIECES)["input_ids"]

    @staticmethod
    def collate(rows: Sequence[Sequence[int]], targets: Tensor) -> PieceBatch:
        """Padded rows; ``targets`` (batch, label) may be empty where no loss is wanted."""
        ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        return PieceBatch(ids=ids, mask=(ids != 0).long(), targets=targets)

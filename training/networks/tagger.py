"""The tagger: words and their characters, a stacked bidirectional recurrent encoder, one head a tag set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.text.pipeline import Vocabulary
from training.networks.layers import CharacterConvolution, RecurrentEncoder, SharedDropout
from training.tagger.batches import TaggedBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggerConfig:
    """Sizes of a tagger; ``cell`` is rnn, gru or lstm."""

    cell: str = "lstm"
    bidirectional: bool = True
    num_layers: int = 2
    hidden_size: int = 256
    projection_size: int = 0  # of each layer's input, projected before the cells read it; 0: they read it as it is
    word_size: int = 100
    suffix_size: int = 32
    character_size: int = 32
    filter_widths: tuple[int, ...] = (2, 3, 4)
    num_filters: int = 50
    dropout: float = 0.5
    input_dropout: float = 0.3
    label_smoothing: float = 0.03
    teacher_share: float = 0.5  # of the loss where a teacher has answered


class WordFeatures(nn.Module):
    """Word, suffix and character vectors side by side: ids (batch, time, feature) to (batch, time, size)."""

    def __init__(self, sizes: Mapping[str, int], config: TaggerConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(sizes["words"], config.word_size, padding_idx=0)
        self.suffixes = nn.Embedding(sizes["suffixes"], config.suffix_size, padding_idx=0)
        self.characters = CharacterConvolution(
            num_characters=sizes["characters"],
            embedding_size=config.character_size,
            widths=config.filter_widths,
            num_filters=config.num_filters,
        )
        nn.init.normal_(self.words.weight, std=0.3)
        nn.init.normal_(self.suffixes.weight, std=0.3)
        self.output_size = config.word_size + config.suffix_size + self.characters.output_size

    def forward(self, ids: Tensor) -> Tensor:
        unique, places = torch.unique(ids[:, :, 1:].flatten(0, 1), dim=0, return_inverse=True)
        characters = self.characters(unique[:, 1:])[places].unflatten(0, ids.shape[:2])
        return torch.cat([self.words(ids[:, :, 0]), self.suffixes(ids[:, :, 1]), characters], dim=-1)


class Tagger(nn.Module):
    """A tagger with logits for every head over one shared encoder.

    ``sizes``: the number of words, suffixes and characters; ``heads``: the number of tags by head.
    """

    def __init__(self, *, sizes: Mapping[str, int], heads: Mapping[str, int], config: TaggerConfig) -> None:
        super().__init__()
        self.config = config
        self.features = WordFeatures(sizes, config)
        self.encoder = RecurrentEncoder(
            cell=config.cell,
            input_size=self.features.output_size,
            hidden_size=config.hidden_size,
            num_layers=config.num_layers,
            bidirectional=config.bidirectional,
            dropout=config.dropout,
            projection_size=config.projection_size,
        )
        self.input_dropout = SharedDropout(config.input_dropout)
        self.output_dropout = SharedDropout(config.dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(self.encoder.output_size, n) for name, n in heads.items()})

    @classmethod
    def of(
        cls, vocabularies: Mapping[str, Vocabulary], heads: Mapping[str, Sequence[str]], config: TaggerConfig
    ) -> Tagger:
        """A tagger with the sizes of its vocabularies and tag sets."""
        sizes = {name: len(vocabulary) for name, vocabulary in vocabularies.items()}
        return cls(sizes=sizes, heads={name: len(tags) for name, tags in heads.items()}, config=config)

    def encode(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Map ids (batch, time, feature) to (batch, time, size)."""
        rows = self.encoder(self.input_dropout(self.features(ids)), lengths)
        return self.output_dropout(rows)

    def forward(self, ids: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Logits (batch, time, tag) by head."""
        rows = self.encode(ids, lengths)
        return {name: head(rows) for name, head in self.heads.items()}

    def loss(self, batch: TaggedBatch) -> Tensor:
        """The losses of all heads, summed and divided by the number of words. A word of which a head knows nothing adds
        nothing to its loss. Of a batch with a teacher's answers a share is the cross-entropy to them (Hinton et al.
        2015)."""
        rows = self.encode(batch.ids, batch.lengths)
        losses = []
        for name, allowed in batch.allowed.items():
            known = allowed != 0
            logits = self.heads[name](rows[known]).float()
            losses.append(partial_label_loss(logits, allowed[known], self.config.label_smoothing))
        labelled = torch.stack(losses).sum() / batch.lengths.sum()
        if not batch.taught:
            return labelled
        share = self.config.teacher_share
        return (1 - share) * labelled + share * self._taught_loss(rows, batch)

    def _taught_loss(self, rows: Tensor, batch: TaggedBatch) -> Tensor:
        """The cross-entropy to a teacher's probabilities, of all heads together, by word."""
        is_real = torch.arange(rows.shape[1], device=rows.device) < batch.lengths[:, None]
        losses = [
            (taught[is_real] * self.heads[name](rows[is_real]).float().log_softmax(-1)).sum()
            for name, taught in batch.taught.items()
        ]
        return -torch.stack(losses).sum() / batch.lengths.sum()


def partial_label_loss(logits: Tensor, allowed: Tensor, smoothing: float) -> Tensor:
    """The summed negative logarithm of the probability of all allowed tags together.

    ``logits`` (word, tag); ``allowed`` (word,): bit ``i`` is set where tag ``i`` is allowed. With one allowed tag it is
    cross-entropy; smoothing (Szegedy et al. 2016) applies to those words alone.
    """
    bits = (allowed[:, None] >> torch.arange(logits.shape[1], device=logits.device)) & 1
    log_probabilities = functional.log_softmax(logits, dim=-1)
    hit = log_probabilities.masked_fill(bits == 0, -1e30).logsumexp(dim=-1)
    single = bits.sum(dim=-1) == 1
    spread = log_probabilities.mean(dim=-1)
    return -torch.where(single, (1 - smoothing) * hit + smoothing * spread, hit).sum()

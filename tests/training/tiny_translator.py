"""A translator small enough for every test, with weights large enough that a difference shows."""

from __future__ import annotations

import torch
from torch import Tensor

from training.networks.translator import Translator, TranslatorConfig

VOCABULARY = 40


def translator(*, seed: int = 1, vocabulary: int = VOCABULARY, **choices) -> Translator:
    torch.manual_seed(seed)
    tiny = dict(embedding_size=16, encoder_size=12, decoder_size=20, source_dropout=0.0, embedding_dropout=0.0)
    config = TranslatorConfig(**{**tiny, "readout_dropout": 0.0, "label_smoothing": 0.0, **choices})
    network = Translator(vocabulary_size=vocabulary, config=config)
    with torch.no_grad():
        network.embedding.weight *= 4
        network.tag.weight.normal_(std=0.3)
        network.output_bias.normal_()
    return network.eval()


def random_sources(batch: int, time: int, *, vocabulary: int = VOCABULARY) -> tuple[Tensor, Tensor]:
    """Ids (batch, time) and ragged lengths (batch,), the first one full."""
    generator = torch.Generator().manual_seed(batch * 100 + time)
    lengths = torch.randint(1, time + 1, (batch,), generator=generator)
    lengths[0] = time
    ids = torch.randint(4, vocabulary, (batch, time), generator=generator)
    return ids.masked_fill(torch.arange(time) >= lengths[:, None], 0), lengths

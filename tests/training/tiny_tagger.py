"""A tagger small enough to train in a blink."""

from __future__ import annotations

import torch
from torch import Tensor

from service.text.pipeline import WORD_BEGIN, WORD_END, Vocabulary
from training.networks.tagger import Tagger, TaggerConfig

NUM_CHARACTERS = 6
VOCABULARIES = {
    "words": Vocabulary.of("abcdefgh"),
    "suffixes": Vocabulary.of("abcdefgh"),
    "characters": Vocabulary.of((WORD_BEGIN, WORD_END, *"abcdefgh")),
}
SIZES = {name: len(vocabulary) for name, vocabulary in VOCABULARIES.items()}
HEADS = {"upos": 3, "xpos": 4, "entity": 5}


def config(**choices) -> TaggerConfig:
    tiny = dict(
        num_layers=1,
        hidden_size=8,
        word_size=6,
        suffix_size=4,
        character_size=3,
        filter_widths=(2, 3),
        num_filters=4,
        dropout=0.0,
        input_dropout=0.0,
    )
    return TaggerConfig(**{**tiny, **choices})


def tagger(*, seed: int = 1, **choices) -> Tagger:
    torch.manual_seed(seed)
    return Tagger(sizes=SIZES, heads=HEADS, config=config(**choices))


def random_ids(batch: int, time: int) -> tuple[Tensor, Tensor]:
    """Ids (batch, time, feature) and ragged lengths (batch,), the first one full."""
    generator = torch.Generator().manual_seed(batch * 100 + time)
    columns = [SIZES["words"], SIZES["suffixes"], *[SIZES["characters"]] * NUM_CHARACTERS]
    ids = torch.stack([torch.randint(0, size, (batch, time), generator=generator) for size in columns], dim=2)
    lengths = torch.randint(1, time + 1, (batch,), generator=generator)
    lengths[0] = time
    return ids, lengths

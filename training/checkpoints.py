"""A tagger back from its run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from service.bundle import VOCABULARIES
from service.text.pipeline import WordEncoder
from service.text.vocabulary import load_vocabularies
from training.corpora.tagging import Heads
from training.networks.tagger import Tagger
from training.tagger_run import TaggerRun


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedTagger:
    """The network of a run's best epoch, and what encodes for it."""

    network: Tagger
    encoder: WordEncoder


def load_tagger(folder: Path, config: TaggerRun, heads: Heads) -> TrainedTagger:
    """Read ``best.pt`` and ``vocabularies.json``; ``heads`` are the tag sets it was trained with."""
    vocabularies = load_vocabularies(folder / VOCABULARIES)
    network = Tagger.of(vocabularies, heads, config.network)
    network.load_state_dict(torch.load(folder / "best.pt", weights_only=True, map_location="cpu")["network"])
    encoder = WordEncoder(vocabularies, num_characters=config.vocabulary.num_characters, cache_size=500_000)
    return TrainedTagger(network=network.eval(), encoder=encoder)

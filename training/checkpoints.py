"""A tagger back from its run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from service.bundle import VOCABULARIES
from service.text.pipeline import WordEncoder
from service.text.vocabulary import load_vocabularies
from training.corpora import tagging
from training.corpora.tagging import Heads
from training.networks.tagger import Tagger
from training.tagger_run import TaggerRun


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedTagger:
    """The network of a run's best epoch, what encodes for it, and the tags of its heads."""

    network: Tagger
    encoder: WordEncoder
    heads: Heads


def load_tagger(folder: Path, config: TaggerRun, *, data_dir: Path | None) -> TrainedTagger:
    """Read ``best.pt`` and ``vocabularies.json``; the tag sets come from the training corpora."""
    vocabularies = load_vocabularies(folder / VOCABULARIES)
    heads = tagging.tag_sets(tagging.read_ewt("train", data_dir), tagging.read_gmb("train", data_dir))
    network = Tagger.of(vocabularies, heads, config.network)
    network.load_state_dict(torch.load(folder / "best.pt", weights_only=True, map_location="cpu")["network"])
    encoder = WordEncoder(vocabularies, num_characters=config.vocabulary.num_characters, cache_size=500_000)
    return TrainedTagger(network=network.eval(), encoder=encoder, heads=heads)

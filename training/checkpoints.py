"""Loading of trained networks from their run folders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from service.bundle import SUBWORDS, VOCABULARIES
from service.text.pipeline import WordEncoder, load_vocabularies
from service.text.subwords import Subwords
from training.corpora.tagging import Heads
from training.networks.gated_translator import GatedTranslator
from training.networks.tagger import Tagger, TaggerConfig
from training.networks.translator import Translator, TranslatorNetwork
from training.tagger.config import TaggerRun
from training.translator.config import TranslatorRun


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedTagger:
    """The network of a run's best epoch and the encoder of its words."""

    network: Tagger
    encoder: WordEncoder


def load_tagger(folder: Path, config: TaggerRun, heads: Heads) -> TrainedTagger:
    """The tagger of a run folder, from ``best.pt`` and ``vocabularies.json``; ``heads`` are the tag sets it was trained
    with."""
    vocabularies = load_vocabularies(folder / VOCABULARIES)
    network = Tagger.of(vocabularies, heads, config.network)
    network.load_state_dict(torch.load(folder / "best.pt", weights_only=True, map_location="cpu")["network"])
    encoder = WordEncoder(vocabularies, num_characters=config.vocabulary.num_characters, cache_size=500_000)
    return TrainedTagger(network=network.eval(), encoder=encoder)


def load_start(folder: Path, config: TaggerConfig) -> Tagger:
    """The tagger of a folder that ``training/tagger/bundle_start.py`` made, with the layers that its weights have and
    all else as in ``config``."""
    state = torch.load(folder / "best.pt", weights_only=True)["network"]
    heads = {name.split(".")[1]: len(value) for name, value in state.items() if name.startswith("heads.")}
    sizes = {name: len(vocabulary) for name, vocabulary in load_vocabularies(folder / VOCABULARIES).items()}
    config = replace(
        config,
        hidden_size=state["encoder.forwards.0.weight_hh_l0"].shape[1],
        projection_size=len(state.get("encoder.projections.0.weight", ())),
    )
    network = Tagger(sizes=sizes, heads=heads, config=config)
    network.load_state_dict(state)
    return network.eval()


def new_translator(config: TranslatorRun, subwords: Subwords) -> TranslatorNetwork:
    """A network of the configured kind with random weights."""
    kind = GatedTranslator if config.network.cell == "gated" else Translator
    return kind(vocabulary_size=len(subwords), config=config.network)


def load_translator(folder: Path, config: TranslatorRun) -> TranslatorNetwork:
    """The network of a run's best epoch, from ``best.pt`` and the size of ``subwords.model``."""
    network = new_translator(config, Subwords.load(folder / SUBWORDS))
    network.load_state_dict(torch.load(folder / "best.pt", weights_only=True, map_location="cpu")["network"])
    return network.eval()


def history_of_training(folder: Path) -> list[dict[str, float]]:
    """The figures of each epoch of a run, from its checkpoint; empty if there is none."""
    path = folder / "checkpoint.pt"
    if not path.exists():
        return []
    state = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    history: list[dict[str, float]] = state["progress"]["history"]
    return history

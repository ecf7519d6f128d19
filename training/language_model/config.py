"""The configuration of a language model: its units, its corpora, its network and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from training.config import FitConfig
from training.networks.language_model import LanguageModelConfig

# Subwords and characters are a sentencepiece model and spell any text; words are normalised as the classifiers' are,
# tokens are what stands between spaces (the Penn Treebank's words), and both know what is in their vocabulary.
UnitKind = Literal["subwords", "characters", "words", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModelRun:
    """One language model; a file of ``training/configs``."""

    name: str
    version: str = "0.1.0"
    description: str = ""
    is_default: bool = False  # the service asks it when no model is named
    units: UnitKind = "subwords"
    vocabulary_size: int = 10_000  # at most; special units count
    starts_from: str = ""  # folder of a bundle, whose weights and units training goes on from; it may be narrower
    sources: tuple[str, ...]  # names of training/corpora/running_text.py
    epoch_tokens: int = 1_000_000  # seen an epoch, whole texts drawn anew each time; 0: all
    dev_tokens: int = 40_000  # that perplexity is measured on after each epoch
    num_streams: int = 64
    num_steps: int = 32
    # After so many minutes or epochs the softmax is no longer sampled, but taken over all units; None: never.
    sampled_minutes: float | None = None
    sampled_epochs: int | None = None
    word_vectors: bool = False  # GloVe's are the start of the table's first columns
    network: LanguageModelConfig = field(default_factory=LanguageModelConfig)
    fit: FitConfig

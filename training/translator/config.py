"""The configuration of a translator's run, read from a file of ``training/configs``."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.config import FitConfig
from training.corpora.open_parallel import Tier
from training.networks.translator import TranslatorConfig
from training.translator.mixture import MixtureConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class VariationConfig:
    """Rates at which training pairs are varied; see training/translator/variation.py."""

    hidden_name: float = 0.0  # a name that both sides share becomes a symbol
    added_placeholder: float = 0.0  # a symbol is added before or behind
    drop_final_punctuation: float = 0.0
    lowercase: float = 0.0  # of the source
    uppercase: float = 0.0  # of both sides
    title_case: float = 0.0  # of the source


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatorRun:
    """The configuration of one translator."""

    name: str
    version: str
    description: str = ""
    is_default: bool = False
    directions: tuple[str, ...]  # "en-es"; several are one network, told by a tag what to write
    corpora: tuple[str, ...]  # of training/corpora/parallel.py
    tiers: tuple[Tier, ...] = ()  # of licences, whose broad sources (training/corpora/open_parallel.py) are read too
    vocabulary_size: int = 8000
    starts_from: str = ""  # folder of another run, whose best weights and subwords this one starts from
    subword_sampling: float = 0.0  # share of rows not cut best but at random (Kudo 2018)
    distilled: str = ""  # file of training/translator/distil.py: pairs with target sides by teachers
    keep_references: bool = True  # beside the distilled ones
    pairs: str = ""  # folder of runs/ that training/translator/prepare.py wrote: pairs of many sources, and subwords
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    epoch_tokens: int = 0  # target tokens of an epoch drawn from the mixture; 0: every pair once
    batch_tokens: int = 2500  # of the target, padding included
    max_tokens: int = 80  # of one side in training; longer pairs are left out
    scheduled_sampling: float = 0.0  # share of target inputs that are the network's own predictions
    dev_beam_size: int = 1  # of the search that scores an epoch
    good_share: float = 0.8  # of the dev sentences at or above the threshold of confidence
    shortlist_size: int = 1024  # subwords among which a sentence's translation is sought (shortlist.py)
    variation: VariationConfig = field(default_factory=VariationConfig)
    network: TranslatorConfig = field(default_factory=TranslatorConfig)
    fit: FitConfig

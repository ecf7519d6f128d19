"""The configuration of a tagger's run; each file of ``training/configs`` with a tagger in it is one of these."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.batches import AugmentConfig
from training.config import FitConfig
from training.networks.tagger import TaggerConfig
from training.vocabularies import VocabularyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggerRun:
    """One published tagger; a file of ``training/configs``."""

    name: str
    version: str
    pretrained: str = ""  # folder of a pretraining or tagger run: its vocabularies and weights are the start
    labelled_text: str = ""  # file of training/label_text.py: what an ensemble says of plain text
    labelled_words: int = 200_000  # of it seen an epoch, a fresh sample each time
    batch_words: int = 2000
    gmb_words: int = 250_000  # of gmb seen an epoch, a fresh sample each time; everything else is seen whole
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    network: TaggerConfig = field(default_factory=TaggerConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    entity_shifts: dict[str, float] = field(default_factory=dict)  # by label, added to its logits when published
    fit: FitConfig

"""The configuration of a tagger's run; each file of ``training/configs`` with a tagger in it is one of these."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.config import FitConfig
from training.corpora.tagging import FIRST_CORPORA
from training.networks.tagger import TaggerConfig
from training.tagger.batches import AugmentConfig
from training.vocabularies import VocabularyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggerRun:
    """One published tagger; a file of ``training/configs``."""

    name: str
    version: str
    pretrained: str = ""  # folder of a pretraining or tagger run: its vocabularies and weights are the start
    labelled_text: str = ""  # file of training/tagger/distil.py: what an ensemble says of plain text
    labelled_entities: bool = True  # whether its entities count, or only its parts of speech
    corpora: tuple[str, ...] = FIRST_CORPORA
    generated_sentences: int = 0  # of training/tagger/generated_sentences.py
    renamed_sentences: int = 0  # of training/tagger/renamed_sentences.py
    batch_words: int = 2000
    epoch_words: dict[str, int] = field(
        default_factory=dict
    )  # of a corpus, drawn anew each epoch; others are seen whole
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    network: TaggerConfig = field(default_factory=TaggerConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    entity_shifts: dict[str, float] = field(default_factory=dict)  # by label, added to its logits when published
    fit: FitConfig

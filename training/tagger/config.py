"""The configuration of a tagger's run, read from a file of ``training/configs``."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.config import FitConfig
from training.corpora.tagging import FIRST_CORPORA
from training.networks.tagger import TaggerConfig
from training.tagger.batches import AugmentConfig
from training.vocabularies import VocabularyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggerRun:
    """The configuration of one published tagger."""

    name: str
    version: str
    pretrained: str = ""  # folder of a pretraining or tagger run, whose vocabularies and weights this one starts from
    teacher: str = ""  # folder of a run of bundle_start.py, from whose answers, too, this one learns
    labelled_text: str = ""  # file of training/tagger/distil.py: plain text tagged by an ensemble
    labelled_entities: bool = True  # whether its entities are learned, or only its parts of speech
    corpora: tuple[str, ...] = FIRST_CORPORA
    generated_sentences: int = 0  # how many of training/tagger/generated_sentences.py
    renamed_sentences: int = 0  # how many of training/tagger/renamed_sentences.py
    batch_words: int = 2000
    epoch_words: dict[str, int] = field(
        default_factory=dict
    )  # of a corpus, drawn anew each epoch; others are seen whole
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    network: TaggerConfig = field(default_factory=TaggerConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    entity_shifts: dict[str, float] = field(default_factory=dict)  # by label, added to its logits when published
    fit: FitConfig

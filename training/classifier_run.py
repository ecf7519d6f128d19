"""The configuration of a classifier's run; each file of ``training/configs`` with a task in it is one of these."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.config import FitConfig
from training.networks.classifier import ClassifierConfig

UNLABELLED = "unlabelled"  # the set of reviews without a label


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierRun:
    """One published classifier; a file of ``training/configs``."""

    name: str
    version: str
    task: str  # of training/corpora/text_tasks.py
    description: str = ""
    is_default: bool = False  # the service asks it when no model is named
    pretrained: str = ""  # folder of a language model's or a classifier's run: its words and weights are the start
    max_words: int = 30_000  # of the vocabulary, most frequent first
    min_count: int = 2  # of a word in the training texts, where the vocabulary is not a pretrained one
    word_vectors: bool = False  # GloVe's are the start of the word table's first columns
    # Files of plain text by set: of training/train_teacher.py or, the set "reviews", of training/label_reviews.py.
    labelled: dict[str, str] = field(default_factory=dict)
    # By set, seen an epoch, a fresh sample; others whole. UNLABELLED adds plain reviews, for their answers' entropy.
    epoch_texts: dict[str, int] = field(default_factory=dict)
    batch_words: int = 8000
    batch_texts: int = 100  # most in one step
    max_tokens: int = 400  # of a text in training; in use it is read whole
    network: ClassifierConfig = field(default_factory=ClassifierConfig)
    fit: FitConfig

"""The configuration of a classifier: its classes, its corpora, its network and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from training.config import FitConfig
from training.networks.classifier import ClassifierConfig

# Names of training sets that come from no labelled corpus. PLAIN has one set a label, "plain LABEL".
PLAIN, TEMPLATES, TAUGHT = "plain", "templates", "taught"


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherConfig:
    """The fine-tuning of a pretrained Transformer, and how much text it labels for the classifier."""

    batch_pieces: int = 1500  # word pieces in a training step, padding included
    num_taught: int = 150_000  # texts without a label that it labels in the end
    num_replaced: int = 0  # written texts with words replaced that it labels, too (training/classifier/replaced.py)
    fit: FitConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierRun:
    """The configuration of one classifier, read from a file of ``training/configs``."""

    name: str
    version: str
    description: str
    languages: tuple[str, ...] = ("en",)
    is_default: bool = False  # the service asks it when no model is named
    labels: tuple[str, ...] = ()  # in the order of the scores; empty: all labels of the training files, sorted
    multi_label: bool = False  # a text may have several labels, or none
    corpora: tuple[str, ...]  # names in training/corpora/text_sources.toml; each has dev and test sets of its own
    figure: str = "macro_f1"  # on dev, chooses the best epoch: "accuracy", "macro_f1", "f1 LABEL", BOTH
    shifts: dict[str, float] = field(default_factory=dict)  # added to the calibrated logit of a label, chosen on dev
    groups: str = ""  # a file "label TAB group" of the data folder: the answer names the group, too
    most_of: dict[str, int] = field(default_factory=dict)  # training texts of a source at most, by source
    plain: dict[str, int] = field(default_factory=dict)  # plain statements and questions learned as a label, by label
    templates: int = 0  # generated texts with a polarity (training/classifier/polarity_examples.py)
    sample: dict[str, int] = field(default_factory=dict)  # texts an epoch of a set ("CORPUS", "plain LABEL", "taught")
    max_words: int = 30_000  # of the vocabulary, most frequent first
    min_count: int = 2  # occurrences of a word of the vocabulary
    word_vectors: bool = True  # GloVe's are the start of the word table's first columns
    batch_words: int = 6000
    batch_texts: int = 100  # at most, in one step
    max_tokens: int = 400  # of a training text; a longer one is cut
    teacher: TeacherConfig | None = None
    starts_from: str = ""  # a published version: training goes on from its weights (bundle_start.py)
    start_share: float = 0.0  # of that version's weights in those that ship (Wortsman et al. 2022)
    more_words: int = 0  # added to the vocabulary of that version, with vectors from GloVe's (more_words.py)
    network: ClassifierConfig = field(default_factory=ClassifierConfig)
    fit: FitConfig

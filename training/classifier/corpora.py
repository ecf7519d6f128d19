"""The training and evaluation texts of a classifier, by its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.classifier.config import PLAIN, TEMPLATES, ClassifierRun
from training.classifier.plain_inputs import read_inputs
from training.classifier.plain_text import plain_sentences
from training.classifier.polarity_examples import polarity_examples
from training.corpora.labelled_text import LabelledText, polarity_target, read_lines, read_texts, with_ratings, without
from training.corpora.text_key import key_of
from training.corpora.tweeteval import read_irony
from training.corpora.vader import word_ratings
from training.corpora.written_texts import is_written, read_written

POLARITY = ("negative", "neutral", "positive")
IRONY = "tweeteval/irony"
SENTIMENT = "sentiment-general"
WORD_BORDER = 1.5  # between neutral and the others in the rating of a single word: "ok" has 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSet:
    """Labelled texts of one corpus."""

    name: str  # "spam/sms"
    texts: Sequence[LabelledText]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutSets:
    """The sets that nothing is learned from: ``dev`` chooses, ``test`` is read once."""

    dev: Sequence[TextSet]
    test: Sequence[TextSet]

    def by_split(self) -> dict[str, Sequence[TextSet]]:
        """Both, by the name of the split."""
        return {"dev": self.dev, "test": self.test}


def labels_of(config: ClassifierRun, data_dir: Path | None) -> tuple[str, ...]:
    """The labels of a configuration, or all those of its training files in alphabetical order."""
    if config.labels:
        return config.labels
    cells = {row[0] for corpus in config.corpora for row in read_lines(corpus, "train", data_dir)}
    return tuple(sorted({label for cell in cells for label in (cell.split(",") if config.multi_label else (cell,))}))


def read_sets(config: ClassifierRun, split: str, data_dir: Path | None) -> list[TextSet]:
    """The ``dev`` or ``test`` sets, one a corpus. A corpus without a test set is measured on dev alone."""
    labels = labels_of(config, data_dir)
    return [
        TextSet(name=corpus, texts=_read(config, corpus, split, labels, data_dir))
        for corpus in config.corpora
        if not ((corpus == SENTIMENT or is_written(corpus)) and split == "test")
    ]


def held_out_texts(config: ClassifierRun, data_dir: Path | None) -> list[str]:
    """The texts of all dev and test sets, from which nothing is learned, with or without their labels."""
    sets = [part for split in ("dev", "test") for part in read_sets(config, split, data_dir)]
    return [each.text for part in sets for each in part.texts]


def read_training(
    config: ClassifierRun, data_dir: Path | None, *, leave_out: Sequence[str] = ()
) -> dict[str, list[LabelledText]]:
    """The training texts by corpus, and the plain texts. None is in a dev or test set, and none is of a source left
    out."""
    labels = labels_of(config, data_dir)
    rng = np.random.default_rng(0)
    held_out = held_out_texts(config, data_dir)
    sets = {}
    for corpus in config.corpora:
        texts = _read(config, corpus, "train", labels, data_dir)
        if corpus == SENTIMENT:
            texts = _with_soft_targets(texts, data_dir)
        kept = [each for each in without(texts, held_out) if each.source not in leave_out]
        sets[corpus] = at_most(kept, config.most_of, rng)
    for label, count in config.plain.items():
        target = tuple(float(name == label) for name in labels)
        plain = [LabelledText(text=text, target=target, source=PLAIN) for text in plain_sentences(count, rng, data_dir)]
        sets[f"{PLAIN} {label}"] = without(plain, held_out)
    if config.templates:
        inputs = [each.text for each in read_inputs(config.name)]
        sets[TEMPLATES] = without(polarity_examples(config.templates, labels, rng), [*held_out, *inputs])
    return sets


def at_most(texts: Sequence[LabelledText], limits: dict[str, int], rng: np.random.Generator) -> list[LabelledText]:
    """A random choice, in the order of ``texts``, that keeps to the limit of texts that a source may have."""
    kept = []
    for source in dict.fromkeys(each.source for each in texts):
        places = [place for place, each in enumerate(texts) if each.source == source]
        limit = limits.get(source, len(places))
        kept += places if limit >= len(places) else rng.choice(places, limit, replace=False).tolist()
    return [texts[place] for place in sorted(kept)]


def _read(
    config: ClassifierRun, corpus: str, part: str, labels: Sequence[str], data_dir: Path | None
) -> list[LabelledText]:
    if corpus == IRONY:
        return read_irony(part, data_dir)
    if is_written(corpus):
        return read_written(corpus, part, labels, multi_label=config.multi_label)
    return read_texts(corpus, part, labels, multi_label=config.multi_label, data_dir=data_dir)


def _with_soft_targets(texts: Sequence[LabelledText], data_dir: Path | None) -> list[LabelledText]:
    """The texts together with mean ratings as probabilities, rated texts without a class, pros and cons of reviews, and
    rated words."""
    rows = read_lines(SENTIMENT, "ratings", data_dir)
    known = {key_of(each.text) for each in texts}
    rated = [LabelledText(text=t, target=(0, 0, 0), source=s) for _, s, t in rows if key_of(t) not in known]
    ratings = {key_of(text): float(rating) for rating, _, text in rows}
    pros_cons = read_texts(SENTIMENT, "pros-cons", POLARITY, data_dir=data_dir)
    nothing = {"none", "nothing", "na"}
    return [
        *with_ratings([*texts, *rated], ratings),
        *(each for each in pros_cons if key_of(each.text) not in nothing),
        *rated_words(),
    ]


def rated_words() -> list[LabelledText]:
    """The words and emoticons of VADER's list with the probabilities of their mean rating. Needs ``vaderSentiment``."""
    return [
        LabelledText(text=word, target=polarity_target(rating, border=WORD_BORDER), source="words")
        for word, rating in word_ratings().items()
    ]

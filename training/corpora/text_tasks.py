"""What classifiers of texts learn from and are scored on, by task: the official splits of each corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.text.tokenizer import words_of
from training.corpora import imdb, sst, tweeteval
from training.corpora.labelled import LabelledText, key_of, without

SENTIMENT = ("negative", "positive")
TASKS: Mapping[str, tuple[str, ...]] = {
    "sst2": SENTIMENT,
    "imdb": SENTIMENT,
    "sentiment": SENTIMENT,  # sst2 and imdb together
    "sst5": sst.GRADES,
    **tweeteval.LABELS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSet:
    """Texts with their classes, all of one split of one corpus."""

    name: str  # "sst2"
    corpus: str  # "SST-2 test"
    texts: Sequence[LabelledText]


def read_training(task: str, data_dir: Path | None) -> list[LabelledText]:
    """All that a task may be learned from: of SST phrases too, of IMDB all but our dev reviews.

    Texts that are in dev or test of the task as well (IMDB has a hundred) are left out.
    """
    held_out = [x.text for split in ("dev", "test") for part in read_sets(task, split, data_dir) for x in part.texts]
    return without(_official_training(task, data_dir), held_out)


def read_plain_reviews(data_dir: Path | None) -> list[str]:
    """IMDB's reviews that nobody rated, less those that are in dev or test as well (the corpus has three hundred)."""
    held_out = {
        key_of(x.text) for split in ("dev", "test") for part in read_sets("imdb", split, data_dir) for x in part.texts
    }
    return [text for text in imdb.read_unlabelled(data_dir) if words_of(text) and key_of(text) not in held_out]


def read_sets(task: str, split: str, data_dir: Path | None) -> list[TextSet]:
    """What a task is scored on in ``dev`` or ``test``: one set, or of ``sentiment`` two."""
    if task == "sentiment":
        return [*read_sets("sst2", split, data_dir), *read_sets("imdb", split, data_dir)]
    if task in ("sst2", "sst5"):
        sentences = sst.sentences_of(sst.read_phrases(split, data_dir))
        texts = sst.binary(sentences) if task == "sst2" else sst.fine(sentences)
        return [TextSet(name=task, corpus=f"SST-{task[-1]} {split}", texts=texts)]
    if task == "imdb":
        texts = imdb.read_reviews("test", data_dir) if split == "test" else _split_imdb(data_dir)[1]
        return [TextSet(name=task, corpus=f"IMDB {split}", texts=texts)]
    texts = tweeteval.read_tweets(task, split, data_dir)
    return [TextSet(name=task, corpus=f"TweetEval {task} {split}", texts=texts)]


def _official_training(task: str, data_dir: Path | None) -> list[LabelledText]:
    if task == "sentiment":
        return [*_official_training("sst2", data_dir), *_official_training("imdb", data_dir)]
    if task == "sst2":
        return sst.binary(sst.read_phrases("train", data_dir))
    if task == "sst5":
        return sst.fine(sst.read_phrases("train", data_dir))
    if task == "imdb":
        return _split_imdb(data_dir)[0]
    return tweeteval.read_tweets(task, "train", data_dir)


def _split_imdb(data_dir: Path | None) -> tuple[list[LabelledText], list[LabelledText]]:
    return imdb.split_dev(imdb.read_reviews("train", data_dir))

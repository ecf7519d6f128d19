"""TweetEval (Barbieri et al. 2020): tweets of the SemEval tasks, one a line, class numbers in a file beside it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

from training.corpora.columns import open_text
from training.corpora.labelled import LabelledText
from training.corpora.sources import locate

# The classes of a task, in the order of their numbers.
LABELS: Mapping[str, tuple[str, ...]] = {
    "irony": ("non_irony", "irony"),
    "emotion": ("anger", "joy", "optimism", "sadness"),
    "offensive": ("not-offensive", "offensive"),
}


def read_tweets(task: str, split: str, data_dir: Path | None) -> list[LabelledText]:
    """``train``, ``dev`` or ``test`` of a task. Raises ValueError if tweets and classes differ in number."""
    texts, labels = (_read_lines(f"tweeteval/{task}/{split}_{part}", data_dir) for part in ("text", "labels"))
    return [LabelledText(text=clean(t), label=int(label)) for t, label in zip(texts, labels, strict=True)]


def clean(tweet: str) -> str:
    """A tweet as its author typed it: its entities of HTML and its written-out line breaks undone."""
    return html.unescape(tweet).replace("\\n", "\n").replace('\\"', '"').strip()


def _read_lines(name: str, data_dir: Path | None) -> list[str]:
    with open_text(locate(name, data_dir=data_dir)) as lines:
        return list(lines)

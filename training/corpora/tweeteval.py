"""TweetEval (Barbieri et al. 2020): tweets of the SemEval tasks, one a line, class numbers in a file beside it."""

from __future__ import annotations

import html
from pathlib import Path

from training.corpora.columns import open_text
from training.corpora.labelled_text import LabelledText
from training.corpora.sources import locate


def read_irony(split: str, data_dir: Path | None) -> list[LabelledText]:
    """The tweets of ``train``, ``dev`` or ``test`` with the classes not ironic and ironic.

    Raises ValueError if tweets and classes differ in number.
    """
    texts, labels = (_read_lines(f"tweeteval/irony/{split}_{part}", data_dir) for part in ("text", "labels"))
    targets = {"0": (1.0, 0.0), "1": (0.0, 1.0)}
    return [
        LabelledText(text=clean(text), target=targets[label.strip()], source="tweets")
        for text, label in zip(texts, labels, strict=True)
    ]


def clean(tweet: str) -> str:
    """A tweet as its author typed it, without entities of HTML and written-out line breaks."""
    return html.unescape(tweet).replace("\\n", "\n").replace('\\"', '"').strip()


def _read_lines(name: str, data_dir: Path | None) -> list[str]:
    with open_text(locate(name, data_dir=data_dir)) as lines:
        return list(lines)

"""Labelled texts that were written for this project, where open corpora have few of a kind.

A language model (Claude) wrote them, CC0. The folder of a corpus, ``written/sentiment`` of ``written-sentiment``, has
files of lines ``label TAB text``; every tenth line of a file is of the dev set, the others are for training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.corpora.labelled_text import LabelledText, labelled

PREFIX = "written-"  # of the names of these corpora
FOLDER = Path(__file__).with_name("written")
DEV_EVERY = 10


def is_written(corpus: str) -> bool:
    return corpus.startswith(PREFIX)


def read_written(
    corpus: str, part: str, labels: Sequence[str], *, multi_label: bool = False, folder: Path = FOLDER
) -> list[LabelledText]:
    """The texts of ``train`` or ``dev``, with the stem of their file as source. Raises ValueError on a line of another
    form or with a label that is not in ``labels``."""
    rows = []
    for path in sorted((folder / corpus.removeprefix(PREFIX)).glob("*.tsv")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            label, tab, text = line.partition("\t")
            if not tab:
                raise ValueError(f"{path.name}:{number + 1}: not label TAB text")
            if (number % DEV_EVERY == 0) == (part == "dev"):
                rows.append((label, path.stem, text))
    return labelled(rows, labels, f"{corpus}/{part}", multi_label=multi_label)

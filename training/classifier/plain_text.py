"""Unlabelled text from open corpora: plain statements and questions, and text for a teacher to label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from service.text.tokenizer import split_sentences
from training.corpora.columns import open_text
from training.corpora.sources import CorpusUnavailableError, folder_of_corpora
from training.corpora.vader import compound

RUNNING = -1  # instead of a column, if the lines are paragraphs
# The column of the text in each line of a file of the data folder.
COLUMNS: Mapping[str, int] = {
    **dict.fromkeys(
        [
            f"lm-english/{n}"
            for n in ("factbook", "fiction-us", "government", "help", "textbooks", "wikinews", "wikipedia")
        ],
        RUNNING,
    ),
    **dict.fromkeys([f"intents/{n}/train" for n in ("banking77", "bitext-support", "clinc150", "hwu64", "snips")], 1),
    "dialogue-sgd/train": 1,
    "goemotions/train": 1,
    "sentiment-general/pros-cons": 2,
    "sentiment-general/train": 2,
    "spam/sms/train": 1,
    "tatoeba/en-es/train": 0,
}
# The shares of plain sentences by source: statements first, then questions to an assistant.
PLAIN_SOURCES: Mapping[str, float] = {
    "lm-english/factbook": 0.08,
    "lm-english/wikipedia": 0.2,
    "lm-english/government": 0.13,
    "lm-english/textbooks": 0.09,
    "lm-english/help": 0.04,
    "lm-english/wikinews": 0.06,
    "intents/snips/train": 0.15,
    "intents/clinc150/train": 0.15,
    "intents/hwu64/train": 0.1,
}
MAX_POLARITY = 0.05  # of the word list's compound score, between -1 and 1
LONGEST = 40  # words of a sentence of running text


def plain_sentences(count: int, rng: np.random.Generator, data_dir: Path | None) -> list[str]:
    """Sentences and questions without a word of praise or blame, by VADER's word list (Hutto and Gilbert 2014).

    At most ``count``; fewer where a source runs out. Needs ``vaderSentiment``.
    """
    chosen: list[str] = []
    for source, share in PLAIN_SOURCES.items():
        found = (text for text in texts_of(source, rng, data_dir) if abs(compound(text)) < MAX_POLARITY)
        chosen += [text for _, text in zip(range(round(share * count)), found, strict=False)]
    return chosen


def texts_of(source: str, rng: np.random.Generator, data_dir: Path | None) -> Iterator[str]:
    """The texts of a source in random order; of running text at most two sentences a paragraph."""
    lines = read_column(source, data_dir)
    for place in rng.permutation(len(lines)):
        line = lines[place]
        if COLUMNS[source] != RUNNING:
            yield line
            continue
        for sentence in split_sentences(line)[:2]:
            if 3 <= len(sentence) <= LONGEST:
                yield line[sentence.starts[0] : sentence.ends[-1]]


@cache
def read_column(source: str, data_dir: Path | None) -> tuple[str, ...]:
    """The texts of a file, or its paragraphs, in the file's order; lines with too few columns are passed over.

    Raises ValueError on a source without an entry in :data:`COLUMNS`, and CorpusUnavailableError if the file is in no
    data folder.
    """
    if source not in COLUMNS:
        raise ValueError(f"no source {source!r}; known: {', '.join(COLUMNS)}")
    folder, name = folder_of_corpora(data_dir), Path(source).name
    path = next(iter(sorted((folder / source).parent.glob(f"{name}.t*"))), None)
    if path is None:
        raise CorpusUnavailableError(f"{folder / source} is not there, and it has no public download")
    column = max(COLUMNS[source], 0)
    with open_text(path) as file:
        rows = (line.rstrip("\n").split("\t") for line in file)
        return tuple(row[column] for row in rows if len(row) > column and row[column])

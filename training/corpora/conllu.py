"""CoNLL-U, the format of Universal Dependencies (universaldependencies.org/format.html)."""

from __future__ import annotations

from pathlib import Path

from training.corpora.columns import blocks
from training.corpora.examples import TaggedSentence

FORM, UPOS, XPOS = 1, 3, 4


def read_conllu(path: Path) -> list[TaggedSentence]:
    """Sentences of syntactic words with ``upos`` and ``xpos``. Multiword ranges and empty nodes are skipped."""
    sentences = []
    for block in blocks(path):
        rows = [line.split("\t") for line in block if not line.startswith("#")]
        rows = [row for row in rows if row[0].isdigit()]
        tags = {"upos": [row[UPOS] for row in rows], "xpos": [row[XPOS] for row in rows]}
        if rows:  # a block of comments alone is no sentence
            sentences.append(TaggedSentence(words=[row[FORM] for row in rows], tags=tags))
    return sentences

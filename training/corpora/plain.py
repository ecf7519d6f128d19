"""Plain text for pretraining: sentences of words, cut by the service's own tokenizer unless the corpus has words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from service.text.tokenizer import split_sentences
from training.corpora.columns import blocks, open_text
from training.corpora.sources import locate

Words = Sequence[str]


def read_tatoeba_english(data_dir: Path | None) -> Iterator[Words]:
    """The English side of the training pairs, each sentence once."""
    seen = set()
    for pair in ("en-es", "en-de", "en-fr"):
        with open_text(locate(f"tatoeba/{pair}/train", data_dir=data_dir)) as lines:
            seen.update(line.partition("\t")[0] for line in lines)
    return words_of(sorted(seen))


def read_war_and_peace(data_dir: Path | None) -> Iterator[Words]:
    """The paragraphs of hard-wrapped lines, joined and split into sentences."""
    return words_of(" ".join(block) for block in blocks(locate("war-and-peace/warandpeace", data_dir=data_dir)))


def words_of(texts: Iterable[str]) -> Iterator[Words]:
    return (sentence.words for text in texts for sentence in split_sentences(text))

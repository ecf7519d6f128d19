"""Running text for language models: paragraphs, sentences, dialogues and whole books, one text each."""

from __future__ import annotations

from pathlib import Path

from training.corpora.columns import blocks, open_text
from training.corpora.sources import locate

PTB, DIALOGUES, TATOEBA = "ptb", "dialogue-sgd", "tatoeba"
BOOKS = ("shakespeare/input", "war-and-peace/warandpeace")  # of one text each


def read_texts(source: str, data_dir: Path | None) -> list[str]:
    """The texts of a file of the data folder in its order, none of them empty.

    A line of most files is a text; of Tatoeba's pairs it is the English side, each sentence once; a dialogue's turns
    are the lines of one text; the Penn Treebank and the books are one text a file. Raises CorpusError.
    """
    path, corpus = locate(source, data_dir=data_dir), source.partition("/")[0]
    if corpus == DIALOGUES:
        return [_turns(block) for block in blocks(path)]
    with open_text(path) as lines:
        if source in BOOKS:
            return [lines.read().removeprefix("\ufeff").replace("\r\n", "\n").strip("\n")]
        texts = [line.strip() for line in lines]
    if corpus == PTB:
        return ["\n".join(texts)]
    if corpus == TATOEBA:
        texts = list(dict.fromkeys(text.partition("\t")[0] for text in texts))
    return [text for text in texts if text]


def _turns(block: list[str]) -> str:
    """What is said in a dialogue, a line a turn."""
    return "\n".join(line.split("\t")[1] for line in block if "\t" in line)

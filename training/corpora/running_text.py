"""Running text for language models: paragraphs, sentences, dialogues and whole books, one text each."""

from __future__ import annotations

import re
from pathlib import Path

from training.corpora.columns import blocks, open_text
from training.corpora.parallel import read_written
from training.corpora.sources import locate

PTB, DIALOGUES, TATOEBA = "ptb", "dialogue-sgd", "tatoeba"
WRITTEN, MAILS = "written/parallel", "written/mails"  # in this repository
BOOKS = ("shakespeare/input", "war-and-peace/warandpeace")  # of one text each
# What Project Gutenberg sets around a book, its terms among it.
_BEFORE_BOOK = re.compile(r"^\*\*\* ?START OF .*$", re.MULTILINE)
_BEHIND_BOOK = re.compile(r"^\*\*\* ?END OF .*$", re.MULTILINE)


def read_texts(source: str, data_dir: Path | None) -> list[str]:
    """The texts of a file of the data folder in its order, none of them empty.

    A line of most files is a text; of Tatoeba's pairs it is the English side, each sentence once; a dialogue's turns
    are the lines of one text; the Penn Treebank and the books are one text a file. ``written/parallel`` is the English
    side of the sentences that were written for the project, ``written/mails`` its mails and short documents, the lines
    of each one text. Raises CorpusError.
    """
    if source == WRITTEN:
        return list(dict.fromkeys(pair.source for pair in read_written("en-es")))
    if source == MAILS:
        paths = sorted(Path(__file__).with_name("written").glob("mails/*.txt"))
        return ["\n".join(block) for path in paths for block in blocks(path)]
    path, corpus = locate(source, data_dir=data_dir), source.partition("/")[0]
    if corpus == DIALOGUES:
        return [_turns(block) for block in blocks(path)]
    with open_text(path) as lines:
        if source in BOOKS:
            return [_book(lines.read())]
        texts = [line.strip() for line in lines]
    if corpus == PTB:
        return ["\n".join(texts)]
    if corpus == TATOEBA:
        texts = list(dict.fromkeys(text.partition("\t")[0] for text in texts))
    return [text for text in texts if text]


def _book(text: str) -> str:
    """The book itself, no more than one blank line in a row."""
    begin, end = _BEFORE_BOOK.search(text), _BEHIND_BOOK.search(text)
    body = text[begin.end() if begin else 0 : end.start() if end else len(text)]
    return re.sub(r"\n{3,}", "\n\n", body.removeprefix("\ufeff").replace("\r\n", "\n")).strip("\n")


def _turns(block: list[str]) -> str:
    """What is said in a dialogue, a line a turn."""
    return "\n".join(line.split("\t")[1] for line in block if "\t" in line)

"""Running text of one's own: paragraphs of a file, split into train, dev and test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.corpora.text_key import key_of
from training.language_model.corpora import Split
from training.own_data.errors import DataError, count_text
from training.own_data.split import split
from training.own_data.text_file import read_lines

FEWEST_WORDS = 2000
FEWEST_TEXTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningText:
    """The texts of a file, and notes about how it was read."""

    split: Split
    num_words: int
    num_characters: int
    notes: list[str]


def read_running_text(path: Path, *, encoding: str | None, seed: int) -> RunningText:
    """The paragraphs between blank lines, or the lines if there are none. Raises DataError."""
    lines = [line.strip() for line in read_lines(path, encoding)]
    by_paragraph = any(not line for line in lines)
    texts = paragraphs(lines) if by_paragraph else lines
    if len(texts) < FEWEST_TEXTS and len(lines) >= FEWEST_TEXTS:
        texts, by_paragraph = [line for line in lines if line], False
    num_words = sum(len(text.split()) for text in texts)
    if num_words < FEWEST_WORDS or len(texts) < FEWEST_TEXTS:
        raise DataError(
            f"{path} has {count_text(num_words, 'word')} in {count_text(len(texts), 'paragraph or line', 'paragraphs')}"
            f"; {FEWEST_WORDS:,} words in {FEWEST_TEXTS} of them are the fewest that a model learns from."
        )
    train, dev, test = split(texts, [key_of(text) or text for text in texts], [""] * len(texts), 2, seed)
    kind = "paragraphs between blank lines" if by_paragraph else "lines"
    note = (
        f"{path.name}: {len(texts):,} texts ({kind}), {num_words:,} words; {len(dev):,} for dev and {len(test):,} for "
        f"test were set aside with seed {seed}; copies stay together."
    )
    return RunningText(
        split=Split(train=train, dev=dev, test=test),
        num_words=num_words,
        num_characters=sum(map(len, texts)),
        notes=[note],
    )


def paragraphs(lines: list[str]) -> list[str]:
    """The runs of lines that are not blank, with their line breaks."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return ["\n".join(each) for each in found if each]

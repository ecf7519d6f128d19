"""The texts that a teacher labels for a classifier, and the file with its answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.text.tokenizer import words_of
from training.classifier.plain_text import texts_of
from training.corpora.labelled_text import LabelledText
from training.corpora.text_key import key_of
from training.corpora.vader import emoji_names

# The share of each source: short reviews, dialogue, questions, everyday sentences, prose, news.
SOURCES: Mapping[str, float] = {
    "sentiment-general/pros-cons": 0.12,
    "sentiment-general/train": 0.22,
    "goemotions/train": 0.08,
    "dialogue-sgd/train": 0.08,
    "intents/clinc150/train": 0.04,
    "intents/banking77/train": 0.03,
    "intents/hwu64/train": 0.03,
    "intents/bitext-support/train": 0.02,
    "spam/sms/train": 0.01,
    "tatoeba/en-es/train": 0.13,
    "lm-english/fiction-us": 0.07,
    "lm-english/government": 0.05,
    "lm-english/wikipedia": 0.04,
    "lm-english/wikinews": 0.03,
    "lm-english/textbooks": 0.03,
    "lm-english/help": 0.02,
}
LONGEST_TAUGHT = 60  # words


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtText:
    """A text that the classifier learns and the text that the teacher reads instead: for an emoji its name."""

    text: str
    asked: str


def taught_texts(count: int, held_out: Collection[str], data_dir: Path | None) -> Iterator[TaughtText]:
    """About ``count`` texts, in the order of their sources, none of them among ``held_out``; then every emoji."""
    rng = np.random.default_rng(1)
    seen = set(map(key_of, held_out))
    for source, share in SOURCES.items():
        wanted = round(share * count)
        for text in texts_of(source, rng, data_dir):
            if wanted == 0:
                break
            key = key_of(text)
            if key and key not in seen and 0 < len(words_of(text)) <= LONGEST_TAUGHT:
                seen.add(key)
                wanted -= 1
                yield TaughtText(text=text, asked=text)
    yield from named_emoji()


def named_emoji() -> Iterator[TaughtText]:
    """Every emoji of VADER's list (MIT licence) with its name. Needs ``vaderSentiment``."""
    for emoji, name in emoji_names().items():
        yield TaughtText(text=emoji, asked=name)


def write_taught(path: Path, texts: Sequence[str], probabilities: npt.NDArray[np.floating]) -> None:
    """Write a line for each text: its probabilities (text, label), then the text with single spaces."""
    with path.open("w", encoding="utf-8") as file:
        for text, row in zip(texts, probabilities, strict=True):
            file.write("\t".join((*(f"{p:.4f}" for p in row), " ".join(text.split()))) + "\n")


def read_taught(path: Path, num_labels: int) -> list[LabelledText]:
    """Read the file of :func:`write_taught`. Raises ValueError on a line with another number of probabilities."""
    texts = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            *probabilities, text = line.rstrip("\n").split("\t")
            if len(probabilities) != num_labels:
                raise ValueError(f"{path}:{number}: {len(probabilities)} probabilities for {num_labels} labels")
            texts.append(LabelledText(text=text, target=tuple(map(float, probabilities)), source="taught"))
    return texts

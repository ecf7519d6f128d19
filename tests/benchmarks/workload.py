"""What is sent and what is run: the same sentences as bytes for HTTP and as rows for the bare network."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.text.batch import Batch, Ids, pad
from tests.benchmarks.client import Request, tag_request
from tests.benchmarks.model import Model

SENTENCES = Path(__file__).with_name("sentences.txt")  # Tolstoy, War and Peace (Maude); lengths like web text's


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One line of the file, and the rows the service makes of it."""

    text: str
    rows: list[Ids]  # (time, feature) each

    @property
    def num_words(self) -> int:
        return sum(map(len, self.rows))


def read_texts(model: Model) -> list[Text]:
    """Every line of ``sentences.txt``, tokenised and encoded as the service does it."""
    lines = SENTENCES.read_text("utf-8").splitlines()
    return [Text(text=line, rows=model.rows_of(line)) for line in lines]


def requests_of(texts: Sequence[Text], *, num_items: int, num_requests: int = 200) -> list[Request]:
    """Requests of ``num_items`` texts each, drawn at random, the same on every run."""
    draw = random.Random(num_items)
    chosen = (draw.sample(texts, num_items) for _ in range(num_requests))
    return [
        tag_request([text.text for text in some], num_words=sum(text.num_words for text in some)) for some in chosen
    ]


def batches_of(texts: Sequence[Text], *, num_rows: int) -> list[Batch]:
    """All rows in batches of like length, the least padding there can be, in random order."""
    rows = sorted((row for text in texts for row in text.rows), key=len)
    batches = [pad(rows[start : start + num_rows]) for start in range(0, len(rows), num_rows)]
    random.Random(num_rows).shuffle(batches)
    return batches


def text_of_about(texts: Sequence[Text], num_words: int) -> Text:
    """A one-sentence text whose length comes nearest."""
    alone = [text for text in texts if len(text.rows) == 1]
    return min(alone, key=lambda text: abs(text.num_words - num_words))

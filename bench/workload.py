"""The texts of a benchmark: as bytes for HTTP, and as rows for the bare network."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path

from bench.client import Request, text_request
from bench.model import Model
from bench.reviews import draw_review_length
from service.bundle import Task
from service.text.pipeline import Batch, Ids, pad

SENTENCES = Path(__file__).with_name("sentences.txt")  # Tolstoy, War and Peace (Maude); lengths like web text's
NUM_REVIEWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text, and the rows the service makes of it."""

    text: str
    rows: list[Ids]  # (time, ...) each

    @property
    def num_words(self) -> int:
        """The number of words that the network reads: punctuation marks are words too, and words may be cut."""
        return sum(map(len, self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A kind of texts, and how they come."""

    noun: str
    texts: list[Text]
    connections: Mapping[int, int]  # by texts a request: enough that every core always has a next batch of like lengths
    idle_num_words: int  # of the text that comes alone


def workloads_of(model: Model) -> list[Workload]:
    """All that is measured of a model."""
    return [make(model) for make in KINDS_OF_TEXT[model.task]]


def sentences_for(model: Model) -> Workload:
    """Every line of ``sentences.txt``."""
    texts = read_texts(model)
    return Workload(noun="sentences", texts=texts, connections={1: 64, 32: 32}, idle_num_words=20)


def sentences_to_translate_for(model: Model) -> Workload:
    """The same, in requests that are done within a second: a decoder has room for a few dozen sentences at once."""
    texts = [text for text in read_texts(model) if text.rows]
    return Workload(noun="sentences", texts=texts, connections={1: 96, 8: 16}, idle_num_words=25)


def reviews_for(model: Model) -> Workload:
    """Texts as long as reviews, made of those sentences; the same on every run."""
    draw = random.Random(3)
    sentences = read_texts(model)
    composed = [compose(sentences, draw_review_length(draw), draw) for _ in range(NUM_REVIEWS)]
    texts = [Text(text=text, rows=model.rows_of(text)) for text in composed]
    return Workload(noun="reviews", texts=texts, connections={1: 64, 8: 16}, idle_num_words=400)


def openings_for(model: Model) -> Workload:
    """The beginnings of those sentences, to be continued. What is written counts as words too."""
    lines = [line.split() for line in SENTENCES.read_text("utf-8").splitlines()]
    openings = [" ".join(words[: 1 + len(words) // 2]) for words in lines]
    texts = [Text(text=text, rows=model.rows_of(text)) for text in openings]
    return Workload(noun="openings", texts=texts, connections={1: 64, 8: 16}, idle_num_words=40)


KINDS_OF_TEXT: Mapping[Task, Sequence[Callable[[Model], Workload]]] = {
    "tag": (sentences_for,),
    "classify": (sentences_for, reviews_for),
    "translate": (sentences_to_translate_for,),
    "generate": (openings_for,),
}


def read_texts(model: Model) -> list[Text]:
    """Every line of ``sentences.txt``, tokenised and encoded as the service does it."""
    lines = SENTENCES.read_text("utf-8").splitlines()
    return [Text(text=line, rows=model.rows_of(line)) for line in lines]


def compose(texts: Sequence[Text], num_words: int, draw: random.Random) -> str:
    """Text after text, drawn at random, cut after so many words between spaces."""
    words = chain.from_iterable(draw.choice(texts).text.split() for _ in count())
    return " ".join(islice(words, num_words))


def requests_of(model: Model, texts: Sequence[Text], *, num_items: int, num_requests: int = 200) -> list[Request]:
    """Requests of ``num_items`` texts each, drawn at random, the same on every run."""
    draw = random.Random(num_items)
    return [request_of(model, draw.sample(texts, num_items)) for _ in range(num_requests)]


def request_of(model: Model, texts: Sequence[Text]) -> Request:
    num_words = sum(text.num_words for text in texts)
    chosen = [text.text for text in texts]
    return text_request(model.path, chosen, num_words=num_words, field=model.field, wishes=model.wishes)


def batches_of(texts: Sequence[Text], *, num_rows: int) -> list[Batch]:
    """All rows in batches of like length, the least padding there can be, in random order."""
    rows = sorted((row for text in texts for row in text.rows), key=len)
    batches = [pad(rows[start : start + num_rows]) for start in range(0, len(rows), num_rows)]
    random.Random(num_rows).shuffle(batches)
    return batches


def text_of_about(texts: Sequence[Text], num_words: int) -> Text:
    """A text of one row whose length comes nearest."""
    alone = [text for text in texts if len(text.rows) == 1]
    return min(alone, key=lambda text: abs(text.num_words - num_words))

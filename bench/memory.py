"""Measure the memory of the service when it is ready, and after the largest batch that it takes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.client import Connection, text_request
from bench.model import Model
from bench.process import ServiceProcess
from bench.workload import Text, compose
from service.bundle import Task

REPEATS = 3
SETTLE_SECONDS = 1.0
FIRST_NUM_WORDS, MOST_NUM_WORDS = 64, 16_384
TOO_MUCH = {413, 422, 429, 504}

Compose = Callable[[int], str]  # a text of about so many words


@dataclass(frozen=True, slots=True, kw_only=True)
class Largest:
    """The largest request of a kind that was taken."""

    what: str
    num_items: int
    num_words: int  # of one item


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Megabytes (MiB) of VmRSS, but for the peak, which is VmHWM; of a service with every model of the folder."""

    ready: float
    after: float
    peak: float
    largest: list[Largest]

    @property
    def growth(self) -> float:
        return self.after / self.ready


def measure_memory(service: ServiceProcess, model: Model, texts: Sequence[Text]) -> Memory:
    """Measure a service that has answered nothing yet: find the largest requests it takes, and send them thrice."""
    time.sleep(SETTLE_SECONDS)
    ready = service.resident_megabytes
    largest = [
        Largest(
            what=burden.what,
            num_items=burden.num_items,
            num_words=largest_taken(service, model, burden.composer(texts), num_items=burden.num_items),
        )
        for burden in BURDENS[model.task]
    ]
    time.sleep(SETTLE_SECONDS)
    return Memory(ready=ready, after=service.resident_megabytes, peak=service.peak_megabytes, largest=largest)


def prose_of(texts: Sequence[Text]) -> Compose:
    """Sentence after sentence, each text another mixture."""
    draw = random.Random(1)
    return lambda num_words: compose(texts, num_words, draw)


def one_sentence_of(texts: Sequence[Text]) -> Compose:
    """Words without a full stop, so that no splitter makes the row shorter."""
    words = [word.lower() for text in texts for word in text.text.split() if word.isalpha()]
    draw = random.Random(2)
    return lambda num_words: " ".join(draw.choices(words, k=num_words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Burden:
    """A kind of request that may grow until it is refused."""

    what: str
    num_items: int
    composer: Callable[[Sequence[Text]], Compose]


# The contract's largest list, and for each task what its longest rows are made of.
BURDENS: Mapping[Task, Sequence[Burden]] = {
    "tag": (
        Burden(what="prose", num_items=128, composer=prose_of),
        Burden(what="one sentence", num_items=128, composer=one_sentence_of),
    ),
    "classify": (
        Burden(what="prose", num_items=128, composer=prose_of),
        Burden(what="prose", num_items=8, composer=prose_of),
    ),
    "translate": (
        Burden(what="prose", num_items=8, composer=prose_of),
        Burden(what="one sentence", num_items=32, composer=one_sentence_of),
    ),
}


def largest_taken(service: ServiceProcess, model: Model, write: Compose, *, num_items: int) -> int:
    """Double until refused, close in to an eighth, send the largest a few times more. In words an item."""

    def is_taken(num_words: int) -> bool:
        texts = [write(num_words) for _ in range(num_items)]
        return answers(
            service, text_request(model.path, texts, num_words=0, field=model.field, wishes=model.wishes).content
        )

    taken, refused = 0, FIRST_NUM_WORDS
    while refused <= MOST_NUM_WORDS and is_taken(refused):
        taken, refused = refused, 2 * refused
    while refused - taken > max(1, refused // 8):
        middle = (taken + refused) // 2
        if is_taken(middle):
            taken = middle
        else:
            refused = middle
    for _ in range(REPEATS - 1 if taken else 0):
        is_taken(taken)
    return taken


def answers(service: ServiceProcess, content: bytes) -> bool:
    """Whether the service takes a request; false if it is too much."""
    with Connection(service.address) as connection:
        status = connection.ask(content).status
    if status != 200 and status not in TOO_MUCH:
        raise RuntimeError(f"a request of {len(content)} bytes: the service answered {status}")
    return status == 200

"""How large the service is when ready, and how large it stays after the largest batch it will take."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.benchmarks.client import Connection, tag_request
from tests.benchmarks.process import ServiceProcess
from tests.benchmarks.workload import Text

NUM_ITEMS = 128  # the contract's largest list
REPEATS = 3
SETTLE_SECONDS = 1.0
FIRST_NUM_WORDS, MOST_NUM_WORDS = 64, 16_384
TOO_MUCH = {413, 422, 429, 504}

Compose = Callable[[int], str]  # a text of about so many words


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Megabytes (MiB) of VmRSS, but for the peak, which is VmHWM; and the largest texts that were taken."""

    ready: float
    after: float
    peak: float
    prose_words_an_item: int
    one_sentence_words_an_item: int

    @property
    def growth(self) -> float:
        return self.after / self.ready


def measure_memory(service: ServiceProcess, texts: Sequence[Text]) -> Memory:
    """Of a service that has answered nothing yet: find the largest texts it takes, and send them thrice."""
    time.sleep(SETTLE_SECONDS)
    ready = service.resident_megabytes
    prose = largest_taken(service, prose_of(texts))
    one_sentence = largest_taken(service, one_sentence_of(texts))
    time.sleep(SETTLE_SECONDS)
    return Memory(
        ready=ready,
        after=service.resident_megabytes,
        peak=service.peak_megabytes,
        prose_words_an_item=prose,
        one_sentence_words_an_item=one_sentence,
    )


def prose_of(texts: Sequence[Text]) -> Compose:
    """Sentence after sentence, each text another mixture."""
    draw = random.Random(1)

    def compose(num_words: int) -> str:
        words = itertools.chain.from_iterable(draw.choice(texts).text.split() for _ in itertools.count())
        return " ".join(itertools.islice(words, num_words))

    return compose


def one_sentence_of(texts: Sequence[Text]) -> Compose:
    """Words without a full stop, so that no splitter makes the row shorter."""
    words = [word.lower() for text in texts for word in text.text.split() if word.isalpha()]
    draw = random.Random(2)
    return lambda num_words: " ".join(draw.choices(words, k=num_words))


def largest_taken(service: ServiceProcess, compose: Compose) -> int:
    """Double until refused, close in to an eighth, send the largest a few times more. In words an item."""
    taken, refused = 0, FIRST_NUM_WORDS
    while refused <= MOST_NUM_WORDS and is_taken(service, compose, refused):
        taken, refused = refused, 2 * refused
    while refused - taken > max(1, refused // 8):
        middle = (taken + refused) // 2
        if is_taken(service, compose, middle):
            taken = middle
        else:
            refused = middle
    for _ in range(REPEATS - 1 if taken else 0):
        is_taken(service, compose, taken)
    return taken


def is_taken(service: ServiceProcess, compose: Compose, num_words: int) -> bool:
    request = tag_request([compose(num_words) for _ in range(NUM_ITEMS)], num_words=0)
    with Connection(service.address) as connection:
        status = connection.ask(request.content).status
    if status != 200 and status not in TOO_MUCH:
        raise RuntimeError(f"{NUM_ITEMS} items of {num_words} words: the service answered {status}")
    return status == 200

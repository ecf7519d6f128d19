"""Clients of ``POST /tag``, ``/classify`` and ``/translate`` with a pause between requests.

``locust -f tests/load/locustfile.py --host http://...``; name a class behind it to run that one only. Most send one
sentence, a few a page or a review, as people and programs do. Needs the extra ``load``.
"""

from __future__ import annotations

import random
from pathlib import Path

from locust import HttpUser, between, task

SENTENCES = Path(__file__).parents[1].joinpath("benchmarks", "sentences.txt").read_text("utf-8").splitlines()
PAGE_SIZE = 32
REVIEW_WORDS = 400
LETTER_SENTENCES = 10
TARGETS = ("es", "de", "fr")


class Client(HttpUser):
    """Sends texts and counts the results."""

    abstract = True
    wait_time = between(0.05, 0.5)

    def send(self, path: str, text: str | list[str], *, name: str, **wishes: str | int) -> None:
        num_items = 1 if isinstance(text, str) else len(text)
        body = {"text": text, **wishes}
        with self.client.post(path, json=body, name=f"{path}, {name}", catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"{response.status_code} {response.json().get('kind')}")
            elif len(response.json()["results"]) != num_items:
                response.failure(f"{num_items} items sent, another number of results came back")


class Reader(Client):
    """Tags sentences, and now and then a page of them."""

    @task(9)
    def tag_a_sentence(self) -> None:
        self.send("/tag", random.choice(SENTENCES), name="1 sentence")

    @task(1)
    def tag_a_page(self) -> None:
        self.send("/tag", random.sample(SENTENCES, PAGE_SIZE), name=f"{PAGE_SIZE} sentences")


class Critic(Client):
    """Classifies sentences, and now and then a review of several hundred words."""

    @task(19)
    def classify_a_sentence(self) -> None:
        self.send("/classify", random.choice(SENTENCES), name="1 sentence")

    @task(1)
    def classify_a_review(self) -> None:
        self.send("/classify", review(), name=f"{REVIEW_WORDS} words and more")


class Traveller(Client):
    """Has sentences translated, each into some language, and now and then a letter of several paragraphs."""

    @task(19)
    def translate_a_sentence(self) -> None:
        self.send("/translate", random.choice(SENTENCES), name="1 sentence", target=random.choice(TARGETS))

    @task(1)
    def translate_a_letter(self) -> None:
        name = f"{LETTER_SENTENCES} paragraphs"
        self.send("/translate", letter(), name=name, target=random.choice(TARGETS))


def letter() -> str:
    """A sentence a paragraph."""
    return "\n\n".join(random.sample(SENTENCES, LETTER_SENTENCES))


def review() -> str:
    """Sentences at random until there are enough words."""
    words: list[str] = []
    while len(words) < REVIEW_WORDS:
        words += random.choice(SENTENCES).split()
    return " ".join(words)

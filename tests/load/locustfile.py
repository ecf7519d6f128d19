"""Clients of ``POST /tag`` with a pause between requests: ``locust -f tests/load/locustfile.py --host http://...``.

Most send one sentence, a few a page, as people and programs do. Needs the extra ``load``.
"""

from __future__ import annotations

import random
from pathlib import Path

from locust import HttpUser, between, task

SENTENCES = Path(__file__).parents[1].joinpath("benchmarks", "sentences.txt").read_text("utf-8").splitlines()
PAGE_SIZE = 32


class Reader(HttpUser):
    """Tags sentences, and now and then a page of them."""

    wait_time = between(0.05, 0.5)

    @task(9)
    def tag_a_sentence(self) -> None:
        self._tag(random.choice(SENTENCES), name="/tag, 1 sentence")

    @task(1)
    def tag_a_page(self) -> None:
        self._tag(random.sample(SENTENCES, PAGE_SIZE), name=f"/tag, {PAGE_SIZE} sentences")

    def _tag(self, text: str | list[str], *, name: str) -> None:
        num_items = 1 if isinstance(text, str) else len(text)
        with self.client.post("/tag", json={"text": text}, name=name, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"{response.status_code} {response.json().get('kind')}")
            elif len(response.json()["results"]) != num_items:
                response.failure(f"{num_items} items sent, another number of results came back")

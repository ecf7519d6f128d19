"""What ships answers to the last byte the same, whatever else is asked, by however many threads, before and after a
restart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.bundle import load_bundle
from tests.process import client_of, running

MODELS = Path(__file__).parents[1] / "models"
CLASSIFIERS = ("en-spam", "en-irony", "en-emotion", "en-intent")  # and the default
TEXTS = (
    "Bridgestone Sports Co. said Friday it has set up a joint venture in Taiwan.",
    "It was not bad at all, but I would not see it again :-(",
    "Alice moved to Hong Kong in 1997. She paid $ 3 million.\n\nWhy? Nobody knows.",
    "well",
    "The long, slow and often rather tedious story of a man " * 10,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request."""

    path: str
    body: Mapping[str, Any]

    def ask(self, client: httpx.Client) -> bytes:
        response = client.post(self.path, json=self.body)
        assert response.status_code == 200, response.text
        return response.content


def questions(texts: Sequence[str]) -> list[Question]:
    """Every model: the defaults each text alone and all of them together, the others all of them together."""
    together = list(texts)
    return [
        *(Question(path="/tag", body={"text": text, "truncate": True}) for text in (*texts, together)),
        *(Question(path="/classify", body={"text": text}) for text in (*texts, together)),
        *(Question(path="/classify", body={"text": together, "model": model}) for model in CLASSIFIERS),
        *(
            Question(path="/translate", body={"text": text, "target": target, "beam_size": beam_size})
            for target, beam_size, text in (("es", 4, texts[2]), ("de", 1, texts[0]), ("fr", 3, together[:4]))
        ),
    ]


QUESTIONS = questions(TEXTS)
NEIGHBOURS = questions([f"{text} {text.upper()}"[:400] for text in TEXTS])


def alone(client: httpx.Client) -> list[bytes]:
    """One after the other."""
    return [question.ask(client) for question in QUESTIONS]


def in_company(client: httpx.Client) -> list[bytes]:
    """All at once, each with another beside it."""
    with ThreadPoolExecutor(12) as pool:
        for neighbour in NEIGHBOURS:
            pool.submit(neighbour.ask, client)
        return list(pool.map(lambda question: question.ask(client), QUESTIONS))


def digests(answers: Sequence[bytes]) -> list[str]:
    return [sha256(answer).hexdigest() for answer in answers]


def test_fp32_answers_are_the_same_bytes_alone_and_in_company_on_one_thread_and_two_and_after_a_restart() -> None:
    with (
        running(MODELS, RIBBON_PRECISION="fp32", RIBBON_THREADS="1") as one,
        running(MODELS, RIBBON_PRECISION="fp32", RIBBON_THREADS="2") as two,
        client_of(one.line("ready")["url"]) as first,
        client_of(two.line("ready")["url"]) as second,
    ):
        expected = digests(alone(first))
        assert digests(in_company(second)) == expected
        assert digests(in_company(first)) == expected


def test_int8_answers_drift_no_further_than_their_bundles_say() -> None:
    drifts = {path.name: load_bundle(path).manifest.precisions["int8"].max_drift for path in MODELS.iterdir()}
    with (
        running(MODELS, RIBBON_PRECISION="int8", RIBBON_THREADS="2") as service,
        client_of(service.line("ready")["url"]) as client,
    ):
        for question, answer, other in zip(QUESTIONS, alone(client), in_company(client), strict=True):
            before, now = json.loads(answer), json.loads(other)
            drift = drifts[before["model"]["name"]]
            for expected, found in zip(before["results"], now["results"], strict=True):
                check_scores(question.path, expected, found, drift)


def check_scores(path: str, expected: Any, found: Any, drift: float) -> None:
    """Of one result. Which entities there are may change with their scores; those found both times are compared."""
    if path == "/tag":
        scores = {(each["start"], each["end"], each["label"]): each["score"] for each in expected["entities"]}
        for each in found["entities"]:
            score = scores.get((each["start"], each["end"], each["label"]), each["score"])
            assert each["score"] == pytest.approx(score, abs=drift)
    else:
        key = "scores" if path == "/classify" else "score"
        assert found[key] == pytest.approx(expected[key], abs=drift)

"""A client that translates by a running service over HTTP, and the fields of answers that measurements read.

A request carries 32 texts, and four requests are in flight at once, so that the service can fill its batches.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

TEXTS_PER_REQUEST = 32
REQUESTS_IN_FLIGHT = 4
SECONDS_PER_REQUEST = 3600  # a request of a measurement may wait long
MAX_ATTEMPTS = 400  # of one request, while the service is overloaded or starts
MAX_WAIT_SECONDS = 10
LATER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The translation of one text.

    A text of several sentences has the lowest of their confidences, and is complete if each of them is. Both are None
    if the service does not give them.
    """

    translation: str
    confidence: float | None = None
    complete: bool | None = None
    reason: str | None = None  # the reason if there is no translation
    hypotheses: tuple[str, ...] = ()  # best first, of a text that is one sentence


Translate = Callable[[Sequence[str], str], list[Answer]]  # texts and a direction such as "en-es" to their answers


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model by the name and version in a service's answers, and the threshold of its confidences."""

    name: str
    version: str
    threshold: float | None = None  # None of a model without confidences


class OverloadedError(Exception):
    """The service was overloaded or not ready at every attempt."""


class RefusedError(Exception):
    """The service refused a request because of its texts, not because of its load."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTranslator:
    """A client of ``POST /translate``; called with texts and a direction it is a :data:`Translate`.

    ``options`` are further fields of each request, such as ``beam_size``; without them the service's defaults hold.
    """

    url: str
    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, texts: Sequence[str], direction: str) -> list[Answer]:
        """Translate texts. A refused text has an answer with a reason.

        Raises OverloadedError if the service stays overloaded for too long, and URLError if it cannot be reached.
        """
        blocks = [texts[start : start + TEXTS_PER_REQUEST] for start in range(0, len(texts), TEXTS_PER_REQUEST)]
        with ThreadPoolExecutor(REQUESTS_IN_FLIGHT) as pool:
            answers = pool.map(lambda block: self._answers(block, direction), blocks)
            return [answer for block in answers for answer in block]

    def served(self, direction: str) -> ServedModel:
        """Return the model that answers, with the threshold that ``GET /models`` says. Raises RefusedError if the
        service does not know the model or the direction."""
        model = self._post(["Hello."], direction)["model"]
        with urllib.request.urlopen(f"{self.url.rstrip('/')}/models", timeout=60) as answer:
            cards = {(card["name"], card["version"]): card for card in json.load(answer)["models"]}
        confidence = cards.get((model["name"], model["version"]), {}).get("confidence") or {}
        return ServedModel(**model, threshold=confidence.get("threshold"))

    def _answers(self, texts: Sequence[str], direction: str) -> list[Answer]:
        """Halve a refused request until only the refused text remains."""
        try:
            return [read_answer(result) for result in self._post(texts, direction)["results"]]
        except RefusedError as error:
            if len(texts) == 1:
                return [Answer(translation="", reason=str(error))]
        middle = len(texts) // 2
        return [*self._answers(texts[:middle], direction), *self._answers(texts[middle:], direction)]

    def _post(self, texts: Sequence[str], direction: str) -> dict[str, Any]:
        source, _, target = direction.partition("-")
        content = {"text": list(texts), "source": source, "target": target, **self.options}
        body = json.dumps(content | ({"model": self.model} if self.model else {})).encode()
        for _ in range(MAX_ATTEMPTS):
            try:
                return self._send(body)
            except urllib.error.HTTPError as error:
                if error.code not in LATER:
                    raise RefusedError(error.code, error.read().decode(errors="replace")) from error
                self.sleep(min(MAX_WAIT_SECONDS, float(error.headers.get("retry-after") or 1)))
        raise OverloadedError(f"{self.url} had no time for a request {MAX_ATTEMPTS} times")

    def _send(self, body: bytes) -> dict[str, Any]:
        headers = {"content-type": "application/json", "x-request-timeout-ms": str(1000 * SECONDS_PER_REQUEST)}
        request = urllib.request.Request(f"{self.url.rstrip('/')}/translate", body, headers)
        with urllib.request.urlopen(request, timeout=SECONDS_PER_REQUEST + 60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


def read_answer(result: Mapping[str, Any]) -> Answer:
    """Read one of the ``results`` of ``POST /translate``."""
    sentences = result.get("sentences", ())
    return Answer(
        translation=result["translation"] or "",
        confidence=lowest([each.get("confidence") for each in sentences]),
        complete=all_complete([each.get("complete") for each in sentences]),
        reason=result.get("reason"),
        hypotheses=tuple(each["translation"] for each in result.get("hypotheses") or ()),
    )


def lowest(confidences: Sequence[float | None]) -> float | None:
    """Return the lowest of the sentences' confidences, None if none is known."""
    return min((each for each in confidences if each is not None), default=None)


def all_complete(flags: Sequence[bool | None]) -> bool | None:
    """Tell whether every sentence is complete, None if the service says it of none."""
    known = [each for each in flags if each is not None]
    return all(known) if known else None

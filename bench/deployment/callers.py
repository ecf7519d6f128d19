"""Callers who ask all the time while something is done to what they ask."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from http.client import HTTPException

from bench.process import ask

OK = "200"


class Callers:
    """Threads that ask one request after another inside of the context; outcomes are kept with their moments.

    An outcome is the status of an answer, or the name of the error where there was none. ``pause`` is in seconds.
    """

    def __init__(
        self, base: str, requests: Sequence[tuple[str, Mapping[str, str]]], *, number: int, pause: float = 0.0
    ) -> None:
        self.number = number
        self.started_at = time.monotonic()
        self.outcomes: list[tuple[float, str]] = []  # in seconds since the start
        self._base, self._requests, self._pause = base, requests, pause
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(each,)) for each in range(number)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def seconds(self) -> float:
        """The time since the start."""
        return time.monotonic() - self.started_at

    def counts(self) -> Counter[str]:
        """Return how often each outcome came."""
        return Counter(outcome for _, outcome in self.outcomes)

    def by_second(self) -> Mapping[int, Counter[str]]:
        """Return the same for each second in which a request ended."""
        seconds: dict[int, Counter[str]] = {}
        for at, outcome in sorted(self.outcomes):
            seconds.setdefault(int(at), Counter())[outcome] += 1
        return seconds

    def failed(self) -> list[tuple[float, str]]:
        """Return the outcomes other than 200, with their moments."""
        return [(at, outcome) for at, outcome in self.outcomes if outcome != OK]

    def _call(self, number: int) -> None:
        while not self._stop.wait(self._pause):
            path, body = self._requests[number % len(self._requests)]
            try:
                outcome = str(ask(f"{self._base}{path}", body, timeout=30)[0])
            except (OSError, HTTPException) as error:
                outcome = type(error).__name__
            self.outcomes.append((self.seconds, outcome))
            number += 1

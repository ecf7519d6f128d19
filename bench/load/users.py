"""Sources of requests that do not wait for answers: an open loop, as the users of a service are one.

A Locust user here is not a person but REQUESTS_PER_USER requests a second at random moments (Poisson); so many users
together are again a Poisson stream. A request's time begins when it was due, whoever was late: a service that stalls
is charged for all who had to wait meanwhile (coordinated omission: G. Tene, "How NOT to measure latency", 2015).
"""

from __future__ import annotations

import json
import random
import time
from abc import abstractmethod

import gevent
from gevent.pool import Group
from locust import FastHttpUser, constant, task

from bench.load.tally import Fate, Sent, Tally
from bench.load.texts import Message, Texts

REQUESTS_PER_USER = 5.0  # a second
PATIENCE_SECONDS = 30.0
MAX_DEBT_SECONDS = 0.5  # a client that is further behind forgets what it owes, and says that it was late


class Run:
    """The objects that the users of one run share; set on Locust's environment before the first of them starts."""

    def __init__(self, texts: Texts, tally: Tally, *, deadline_ms: int | None, key: str | None) -> None:
        self.texts = texts
        self.tally = tally
        self.started_at = time.perf_counter()
        self.headers = {"Content-Type": "application/json"}
        if deadline_ms is not None:
            self.headers["X-Request-Timeout-Ms"] = str(deadline_ms)
        if key is not None:
            self.headers["Authorization"] = f"Bearer {key}"

    def now(self) -> float:
        return time.perf_counter() - self.started_at


class Source(FastHttpUser):
    """Sends messages at random moments, each in a greenlet of its own."""

    abstract = True
    wait_time = constant(0)
    concurrency = 512
    network_timeout = connection_timeout = PATIENCE_SECONDS

    def on_start(self) -> None:
        self.run: Run = self.environment.ribbon_run
        self._under_way = Group()
        self._draw = random.Random(f"{type(self).__name__} {self.run.texts.draw.random()}")
        self._due = self.run.now()

    def on_stop(self) -> None:
        self._under_way.join(timeout=PATIENCE_SECONDS)

    @abstractmethod
    def compose(self, texts: Texts) -> Message:
        """The next message."""

    @task
    def send_when_due(self) -> None:
        self._due = max(self._due, self.run.now() - MAX_DEBT_SECONDS) + self._draw.expovariate(REQUESTS_PER_USER)
        gevent.sleep(max(0.0, self._due - self.run.now()))
        self._under_way.start(gevent.Greenlet(self._send, self.compose(self.run.texts), self._due))

    def _send(self, message: Message, due: float) -> None:
        sent_at = self.run.now()
        status = self._ask(message, due)
        self.run.tally.sent.append(
            Sent(
                due=due,
                kind=f"{message.path}, {message.kind}",
                fate=Fate.of(status),
                num_items=message.num_items,
                num_words=message.num_words,
                milliseconds=1e3 * (self.run.now() - due),
                lag=1e3 * (sent_at - due),
            )
        )

    def _ask(self, message: Message, due: float) -> int:
        """The status; 0 if the connection broke. A refusal is no failure: it is what a full service should say."""
        with self.client.post(
            message.path,
            data=json.dumps(message.body).encode(),
            headers=self.run.headers,
            name=f"{message.path}, {message.kind}",
            catch_response=True,
        ) as response:
            response.request_meta["response_time"] = 1e3 * (self.run.now() - due)
            status = int(response.status_code)
            if status == 200 and len(json.loads(response.content)["results"]) != message.num_items:
                response.failure(f"{message.num_items} items sent, another number of results came back")
                return 500
            if Fate.of(status) is Fate.FAILED:
                response.failure(f"status {status}")
            else:
                response.success()
            return status

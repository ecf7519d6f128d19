"""Sentences beside reviews: how much longer a sentence takes when one request in twenty is a review.

Each round has three turns: sentences alone, the same sentences at the same moments with reviews among them, and
sentences alone once more. The last against the first says by how much chance alone moves a p99.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.client import Request, saturate
from bench.latency import Percentiles, percentile
from bench.model import Model
from bench.open_loop import Arrival, merge, poisson
from bench.process import ServiceProcess
from bench.storm import Storm, storm
from bench.workload import Text, request_of

REVIEW_SHARE = 0.05
LONG_REVIEW_WORDS = 400  # between spaces; shorter reviews are left out
CAPACITY_CONNECTIONS, CAPACITY_TURNS = 64, 3
NUM_CONNECTIONS = 128  # many more than requests are ever under way at half of the capacity
WARM_UP_SHARE = 0.1
SENTENCE, REVIEW = "sentence", "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The requests of mixed traffic, one text each."""

    sentences: list[Request]
    reviews: list[Request]

    def schedule(self, *, rate: float, seconds: float, seed: int) -> list[Arrival]:
        """Both, ``rate`` requests a second in all."""
        return merge(self.alone(rate=rate, seconds=seconds, seed=seed), self._reviews(rate, seconds, seed))

    def alone(self, *, rate: float, seconds: float, seed: int) -> list[Arrival]:
        """The sentences of :meth:`schedule`, at the same moments."""
        sentence_rate = rate * (1 - REVIEW_SHARE)
        return list(poisson(self.sentences, kind=SENTENCE, rate=sentence_rate, seconds=seconds, seed=2 * seed))

    def _reviews(self, rate: float, seconds: float, seed: int) -> Iterator[Arrival]:
        return poisson(self.reviews, kind=REVIEW, rate=rate * REVIEW_SHARE, seconds=seconds, seed=2 * seed + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Milliseconds from the moment a request was due."""

    sentences: Percentiles
    reviews: Percentiles | None
    num_refused: int
    num_held: int
    p99_lag: float  # by which the client itself was late
    client_cpu_share: float  # of one core
    service_cpu_share: float  # of one core


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    alone: Turn
    mixed: Turn
    again: Turn  # alone

    @property
    def ratio(self) -> float:
        """The sentences' p99 in mixed traffic divided by that alone, the mean of both turns."""
        return self.mixed.sentences.p99 / statistics.mean((self.alone.sentences.p99, self.again.sentences.p99))

    @property
    def chance(self) -> float:
        """The same between two turns alike."""
        return self.again.sentences.p99 / self.alone.sentences.p99


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    capacity: float  # requests/s of the same mixture in a closed loop
    rate: float  # requests/s that came
    rounds: list[Round]

    @property
    def ratio(self) -> float:
        return statistics.median(each.ratio for each in self.rounds)


def traffic_of(model: Model, sentences: Sequence[Text], reviews: Sequence[Text]) -> Traffic:
    """Every sentence, and those reviews that are long."""
    long = [review for review in reviews if len(review.text.split()) >= LONG_REVIEW_WORDS]
    return Traffic(
        sentences=[request_of(model, [text]) for text in sentences],
        reviews=[request_of(model, [text]) for text in long],
    )


def measure_mixed(service: ServiceProcess, traffic: Traffic, *, load: float, rounds: int, seconds: float) -> Mixed:
    """At ``load`` times the capacity, measured first; a turn counts for so many seconds."""
    capacity = measure_capacity(service, traffic, seconds=seconds / CAPACITY_TURNS)
    rate = load * capacity
    return Mixed(
        capacity=capacity,
        rate=rate,
        rounds=[_measure_round(service, traffic, rate=rate, seconds=seconds, seed=seed) for seed in range(rounds)],
    )


def measure_capacity(service: ServiceProcess, traffic: Traffic, *, seconds: float) -> float:
    """Requests a second of the mixture at saturation, the median of a few turns."""
    mixture = [arrival.request for arrival in traffic.schedule(rate=1000, seconds=2, seed=0)]
    loads = [
        saturate(
            service.address,
            mixture,
            num_connections=CAPACITY_CONNECTIONS,
            warm_up_seconds=seconds * WARM_UP_SHARE,
            seconds=seconds,
        )
        for _ in range(CAPACITY_TURNS)
    ]
    return statistics.median(each.requests_per_second for each in loads)


def _measure_round(service: ServiceProcess, traffic: Traffic, *, rate: float, seconds: float, seed: int) -> Round:
    warm_up_seconds = seconds * WARM_UP_SHARE
    seconds += warm_up_seconds
    alone = traffic.alone(rate=rate, seconds=seconds, seed=seed)
    mixed = traffic.schedule(rate=rate, seconds=seconds, seed=seed)
    return Round(
        alone=_measure_turn(service, alone, warm_up_seconds),
        mixed=_measure_turn(service, mixed, warm_up_seconds),
        again=_measure_turn(service, alone, warm_up_seconds),
    )


def _measure_turn(service: ServiceProcess, arrivals: Sequence[Arrival], warm_up_seconds: float) -> Turn:
    before = service.cpu_seconds
    done = storm(service.address, arrivals, num_connections=NUM_CONNECTIONS)
    cpu_share = (service.cpu_seconds - before) / done.seconds
    return turn_of(done, warm_up_seconds=warm_up_seconds, service_cpu_share=cpu_share)


def turn_of(done: Storm, *, warm_up_seconds: float, service_cpu_share: float) -> Turn:
    """Times and refusals are of those that were due after the warm-up."""
    counted = [reply for reply in done.replies if reply.arrival.at >= warm_up_seconds]
    answered = [reply for reply in counted if reply.status == 200]
    sentences, reviews = (
        [1e3 * reply.seconds for reply in answered if reply.arrival.kind == kind] for kind in (SENTENCE, REVIEW)
    )
    return Turn(
        sentences=Percentiles.of(sentences),
        reviews=Percentiles.of(reviews) if reviews else None,
        num_refused=len(counted) - len(answered),
        num_held=done.num_held,
        p99_lag=percentile(done.lags, 99),
        client_cpu_share=done.client_cpu_share,
        service_cpu_share=service_cpu_share,
    )

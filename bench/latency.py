"""One request with nobody else there, beside the network's own time for the same row."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.client import Address, Connection
from bench.model import Model
from bench.workload import Text, requests_of
from service.text.pipeline import pad

PAUSE_SECONDS = 0.005  # the machine is idle between requests: caches cool and cores nap, as they will for real
_MODEL_PART = re.compile(r"\bmodel;dur=([\d.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds over all requests. The three are measured in turn, so each meets the same machine."""

    num_words: int
    total: list[float]  # as the client sees it
    model: list[float]  # the model part of Server-Timing
    raw: list[float]  # the bare network, run here

    @property
    def over_model(self) -> float:
        """The cost of a request beyond its own model part: the median of the differences."""
        return statistics.median(total - model for total, model in zip(self.total, self.model, strict=True))

    @property
    def over_raw(self) -> float:
        """The same against the bare network: the difference of the medians."""
        return statistics.median(self.total) - statistics.median(self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Percentiles of times in milliseconds."""

    count: int
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Percentiles:
        """Raises ValueError if there are no values."""
        if not values:
            raise ValueError("nothing was measured: take more time or a higher rate")
        p50, p95, p99 = (percentile(values, percent) for percent in (50, 95, 99))
        return cls(count=len(values), p50=p50, p95=p95, p99=p99)


def percentile(values: Sequence[float], percent: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))]


def measure_latency(address: Address, model: Model, text: Text, *, num_requests: int) -> Latency:
    """Ask ``num_requests`` times for one short text, one at a time, after a few that warm up."""
    content = requests_of(model, [text], num_items=1, num_requests=1)[0].content
    batch = pad(text.rows)
    latency = Latency(num_words=text.num_words, total=[], model=[], raw=[])
    with Connection(address) as connection:
        for attempt in range(-10, num_requests):
            time.sleep(PAUSE_SECONDS)
            started = time.perf_counter()
            answer = connection.ask(content)
            total = 1e3 * (time.perf_counter() - started)
            time.sleep(PAUSE_SECONDS)
            started = time.perf_counter()
            model.run(batch)
            raw = 1e3 * (time.perf_counter() - started)
            if attempt >= 0:
                latency.total.append(total)
                latency.model.append(model_part(answer.headers))
                latency.raw.append(raw)
    return latency


def model_part(headers: dict[str, str]) -> float:
    """Milliseconds of ``Server-Timing: queue;dur=.., model;dur=.., total;dur=..``."""
    found = _MODEL_PART.search(headers.get("server-timing", ""))
    return float(found[1]) if found else float("nan")

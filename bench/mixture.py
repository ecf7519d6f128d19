"""Single sentences and batches in one stream of requests, as a service meets them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.client import Request, encode_request
from bench.model import Model
from bench.open_loop import Arrival, merge, poisson
from bench.workload import Workload, requests_of

SINGLE, BATCH = "singles", "batches"
BATCH_ITEMS = {"tag": 32, "classify": 32, "translate": 8}
DEADLINE_HEADER = "x-request-timeout-ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Requests of both kinds, and how many of them are single sentences."""

    singles: Sequence[Request]
    batches: Sequence[Request]
    single_share: float

    def schedule(self, *, rate: float, seconds: float, seed: int) -> list[Arrival]:
        singles, batches = self.single_share * rate, (1 - self.single_share) * rate
        return merge(
            poisson(self.singles, kind=SINGLE, rate=singles, seconds=seconds, seed=2 * seed),
            poisson(self.batches, kind=BATCH, rate=batches, seconds=seconds, seed=2 * seed + 1),
        )

    def shuffled(self, number: int = 1000) -> list[Request]:
        """Requests in random order, for a closed loop."""
        draw = random.Random(7)
        kinds = (draw.random() < self.single_share for _ in range(number))
        return [draw.choice(self.singles if is_single else self.batches) for is_single in kinds]

    def within(self, deadline_ms: int) -> Mixture:
        """The same, but each request says how long it may take."""
        header = f"{DEADLINE_HEADER}: {deadline_ms}"
        singles, batches = (
            [with_header(request, header) for request in requests] for requests in (self.singles, self.batches)
        )
        return replace(self, singles=singles, batches=batches)


def mixture_of(model: Model, workload: Workload, *, single_share: float) -> Mixture:
    singles, batches = (
        requests_of(model, workload.texts, num_items=num_items) for num_items in (1, BATCH_ITEMS[model.task])
    )
    return Mixture(singles=singles, batches=batches, single_share=single_share)


def with_header(request: Request, header: str) -> Request:
    head, _, body = request.content.partition(b"\r\n\r\n")
    method, path, _ = head.decode().split("\r\n")[0].split(" ")
    return replace(request, content=encode_request(method, path, body, headers=[header]))

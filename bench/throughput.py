"""Words a second through HTTP at saturation, in turns with the bare network: both meet the same machine."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass

from bench.client import Connection, Load, Request, saturate
from bench.model import Model
from bench.process import ServiceProcess
from bench.raw import RawSpeed, measure
from bench.workload import Workload, batches_of, requests_of

WARM_UP_SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturation:
    """One request size over all rounds."""

    num_items: int
    num_connections: int
    loads: list[Load]
    service_cpu_shares: list[float]  # of one core, a round
    ratios: list[float]  # to the bare network in the same round

    @property
    def words_per_second(self) -> float:
        return statistics.median(load.words_per_second for load in self.loads)

    @property
    def requests_per_second(self) -> float:
        return statistics.median(load.requests_per_second for load in self.loads)

    @property
    def texts_per_second(self) -> float:
        return self.num_items * self.requests_per_second

    @property
    def client_cpu_share(self) -> float:
        return statistics.median(load.client_cpu_share for load in self.loads)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def num_refused(self) -> int:
        return sum(load.num_refused for load in self.loads)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    raw: list[RawSpeed]  # at the best batch size, one a round
    saturations: list[Saturation]

    @property
    def raw_words_per_second(self) -> float:
        return statistics.median(speed.words_per_second for speed in self.raw)


def measure_throughput(
    service: ServiceProcess,
    model: Model,
    workload: Workload,
    *,
    best_num_rows: int,
    num_threads: int,
    rounds: int,
    seconds: float,
) -> Throughput:
    """Raw, 1 item a request, many items; and again, ``rounds`` times."""
    batches = batches_of(workload.texts, num_rows=best_num_rows)
    connections = workload.connections
    throughput = Throughput(raw=[], saturations=[_empty(*each) for each in connections.items()])
    todo = {num_items: requests_of(model, workload.texts, num_items=num_items) for num_items in connections}
    for requests in todo.values():
        check_answer(service, model, requests[0])
    for _ in range(rounds):
        raw = measure(model, batches, num_threads=num_threads, seconds=seconds)
        throughput.raw.append(raw)
        for saturation in throughput.saturations:
            _measure_once(service, saturation, todo[saturation.num_items], raw, seconds=seconds)
    return throughput


def check_answer(service: ServiceProcess, model: Model, request: Request) -> None:
    """The service does what is counted here, or every figure would be off. Raises RuntimeError."""
    with Connection(service.address) as connection:
        answer = connection.ask(request.content)
    if answer.status != 200:
        raise RuntimeError(f"the service answered {answer.status}: {answer.body[:300].decode()}")
    content = json.loads(answer.body)
    if (name := content["model"]["name"]) != model.name:
        raise RuntimeError(f"{model.name} is measured, {name} answered")
    if wrong := model.what_is_wrong(content["results"], request):
        raise RuntimeError(wrong)


def _empty(num_items: int, num_connections: int) -> Saturation:
    return Saturation(num_items=num_items, num_connections=num_connections, loads=[], service_cpu_shares=[], ratios=[])


def _measure_once(
    service: ServiceProcess, saturation: Saturation, requests: list[Request], raw: RawSpeed, *, seconds: float
) -> None:
    warm_up_seconds = seconds * WARM_UP_SHARE
    before = service.cpu_seconds
    load = saturate(
        service.address,
        requests,
        num_connections=saturation.num_connections,
        warm_up_seconds=warm_up_seconds,
        seconds=seconds,
    )
    saturation.loads.append(load)
    saturation.service_cpu_shares.append((service.cpu_seconds - before) / (load.seconds + warm_up_seconds))
    saturation.ratios.append(load.words_per_second / raw.words_per_second)

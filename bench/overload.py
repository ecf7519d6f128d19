"""Measure the answers in time when many times the capacity is requested: ``python -m bench.overload``.

The capacity is measured with a closed loop of the same mixture, single sentences and batches; then requests with a
deadline come at random moments (Poisson), at half of that rate, at all of it, at three and at ten times as much. The
client's requests are bytes made beforehand on connections that stay open, and its own processor time is printed: unless
``--service-cores`` separates them, client and service share all cores, so that the client's work at ten times the load
is missing in the answers. Goodput counts the answers with 200 within the deadline, from the moment a request was due:
in tokens, and as work, every answer by its cost at saturation, because under overload more small requests are let in,
which cost more a token.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.client import Request, saturate
from bench.cores import apart
from bench.latency import percentile
from bench.machine import this_machine
from bench.mixture import SINGLE, Mixture, mixture_of
from bench.model import Model, choose, open_model
from bench.overload_picture import draw
from bench.overload_report import failures, print_overload, write_overload
from bench.process import ROOT, ServiceProcess
from bench.storm import Reply, Storm, storm
from bench.workload import workloads_of

LOADS = (0.5, 1.0, 3.0, 10.0)
WARM_UP_SECONDS = 1.5
CAPACITY_CONNECTIONS = {"tag": 48, "classify": 48, "translate": 48}
NUM_CONNECTIONS = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Requests a second in a closed loop: of the mixture, and of each kind alone."""

    mixture: float
    single: float
    batch: float

    def work_of(self, kind: str) -> float:
        """Seconds of the whole service that one request takes."""
        return 1 / (self.single if kind == SINGLE else self.batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The figures at one load."""

    load: float
    offered_requests: float  # a second
    offered_tokens: float
    goodput_requests: float
    goodput_tokens: float
    goodput_work: float  # seconds of the service a second
    let_in: dict[str, float]  # share of each kind that was answered with 200
    p50: float  # milliseconds from the moment due, of the 200s
    p99: float
    num_late: int  # 200s after the deadline
    refused: float  # a second
    refused_p50: float
    refused_p99: float
    statuses: dict[int, int]
    memory_before: float
    memory_after: float
    service_cpu_share: float
    client_cpu_share: float
    p99_lag: float  # milliseconds by which the client sent late
    num_held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload:
    """One model's measurement."""

    title: str
    deadline_ms: int
    single_share: float
    capacity: Capacity
    points: list[Point]

    @property
    def peak_tokens(self) -> float:
        return max(point.goodput_tokens for point in self.points)

    @property
    def peak_work(self) -> float:
        return max(point.goodput_work for point in self.points)


def measure_capacity(service: ServiceProcess, model: Model, mixture: Mixture, *, seconds: float) -> Capacity:
    """Measure the capacity without deadlines: the batches of a closed loop may wait."""

    def rate(requests: Sequence[Request]) -> float:
        load = saturate(
            service.address,
            requests,
            num_connections=CAPACITY_CONNECTIONS[model.task],
            warm_up_seconds=WARM_UP_SECONDS,
            seconds=seconds,
        )
        return load.requests_per_second

    return Capacity(mixture=rate(mixture.shuffled()), single=rate(mixture.singles), batch=rate(mixture.batches))


def measure_point(
    service: ServiceProcess, mixture: Mixture, capacity: Capacity, *, load: float, seconds: float, deadline_ms: int
) -> Point:
    arrivals = mixture.schedule(rate=load * capacity.mixture, seconds=WARM_UP_SECONDS + seconds, seed=round(10 * load))
    memory, cpu = service.resident_megabytes, service.cpu_seconds
    found = storm(service.address, arrivals, num_connections=NUM_CONNECTIONS)
    cpu_share = (service.cpu_seconds - cpu) / found.seconds
    return summary(
        found,
        capacity,
        load=load,
        seconds=seconds,
        deadline_seconds=deadline_ms / 1000,
        memory=(memory, service.resident_megabytes),
        service_cpu_share=cpu_share,
    )


def summary(
    found: Storm,
    capacity: Capacity,
    *,
    load: float,
    seconds: float,
    deadline_seconds: float,
    memory: tuple[float, float],
    service_cpu_share: float,
) -> Point:
    """The figures of a storm. Requests due in the warm-up do not count."""
    replies = [reply for reply in found.replies if reply.arrival.at >= WARM_UP_SECONDS]
    answered = [reply for reply in replies if reply.status == 200]
    good = [reply for reply in answered if reply.seconds <= deadline_seconds]
    refused = [1e3 * (reply.seconds - reply.sent_after) for reply in replies if reply.status == 429] or [0.0]
    times = [1e3 * reply.seconds for reply in answered] or [0.0]
    return Point(
        load=load,
        offered_requests=len(replies) / seconds,
        offered_tokens=tokens_of(replies) / seconds,
        goodput_requests=len(good) / seconds,
        goodput_tokens=tokens_of(good) / seconds,
        goodput_work=sum(capacity.work_of(reply.arrival.kind) for reply in good) / seconds,
        let_in=shares(replies, answered),
        p50=percentile(times, 50),
        p99=percentile(times, 99),
        num_late=len(answered) - len(good),
        refused=sum(reply.status == 429 for reply in replies) / seconds,
        refused_p50=percentile(refused, 50),
        refused_p99=percentile(refused, 99),
        statuses=dict(Counter(reply.status for reply in replies)),
        memory_before=memory[0],
        memory_after=memory[1],
        service_cpu_share=service_cpu_share,
        client_cpu_share=found.client_cpu_seconds / found.seconds,
        p99_lag=1e3 * percentile([reply.sent_after for reply in replies] or [0.0], 99),
        num_held=found.num_held,
    )


def tokens_of(replies: Sequence[Reply]) -> int:
    return sum(reply.arrival.request.num_words for reply in replies)


def shares(replies: Sequence[Reply], answered: Sequence[Reply]) -> dict[str, float]:
    came, let_in = (Counter(reply.arrival.kind for reply in each) for each in (replies, answered))
    return {kind: let_in[kind] / came[kind] for kind in came}


def measure(arguments: argparse.Namespace, model: Model) -> Overload:
    patient = mixture_of(model, workloads_of(model)[0], single_share=arguments.single_share)
    hurried = patient.within(arguments.deadline_ms)
    variables = {"RIBBON_WORKERS": str(arguments.workers)}
    with (
        apart(arguments.service_cores) as go_away,
        ServiceProcess(models_dir=arguments.models_dir, model=model, variables=variables) as service,
    ):
        go_away()
        capacity = measure_capacity(service, model, patient, seconds=arguments.seconds / 2)
        points = [
            measure_point(
                service,
                hurried,
                capacity,
                load=load,
                seconds=arguments.seconds,
                deadline_ms=arguments.deadline_ms,
            )
            for load in arguments.loads
        ]
    return Overload(
        title=model.title,
        deadline_ms=arguments.deadline_ms,
        single_share=arguments.single_share,
        capacity=capacity,
        points=points,
    )


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--model", help="a bundle's name; default: those that tag and translate by default")
    parser.add_argument("--deadline-ms", type=int, default=500, help="of every request")
    parser.add_argument("--single-share", type=float, default=0.5, help="of the requests; the others are batches")
    parser.add_argument("--service-cores", type=int, help="for it alone; the client has the others; default: shared")
    parser.add_argument("--workers", type=int, default=1, help="processes of the service")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--loads", type=float, nargs="+", default=LOADS, help="as multiples of the capacity")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "overload.json", help="and .png beside it")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns 0 if every answer was 200, 429, 503 or 504."""
    parsed = parse_arguments(arguments)
    bundles = [
        bundle
        for bundle in choose(parsed.models_dir, name=parsed.model)
        if parsed.model or bundle.manifest.task != "classify"
    ]
    machine, found = this_machine(), []
    for bundle in bundles:
        found.append(measure(parsed, open_model(bundle)))
        print_overload(found[-1])
    write_overload(machine, found, parsed.output)
    if draw(found, parsed.output.with_suffix(".png")):
        print(f"The curve: {parsed.output.with_suffix('.png')}")
    print(f"Every figure: {parsed.output}")
    return 1 if any(failures(each) for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())

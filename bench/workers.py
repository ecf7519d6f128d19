"""Measure the cost and the gain of several workers, for one number of them after another: ``python -m bench.workers``.

Memory that processes share is counted in full in the resident set (RSS) of each, and in equal parts in their
proportional sets (PSS): only these add up to the memory that the service takes of the machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.client import saturate
from bench.machine import this_machine
from bench.model import Model, choose, open_model
from bench.process import ROOT, ServiceProcess, family, memory_of
from bench.report import print_machine
from bench.throughput import check_answer
from bench.workload import requests_of, sentences_for

SETTLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of a service with so many workers; memory in MiB, when ready and after the load."""

    num_workers: int
    seconds_to_ready: float
    idle_cpu_percent: float  # of one core
    ready: Sequence[Memory]  # the supervisor, if there is one, and each worker
    after: Sequence[Memory]
    requests_per_second: float

    def __str__(self) -> str:
        return (
            f"{self.num_workers:>7}  {self.seconds_to_ready:>7.2f}  {self.idle_cpu_percent:>6.2f} %"
            f"  {_row(self.ready)}  {_row(self.after)}  {self.requests_per_second:>10.0f}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The memory of one process."""

    rss: float
    pss: float

    @classmethod
    def of(cls, pid: int) -> Memory:
        return cls(rss=memory_of(pid, "Rss"), pss=memory_of(pid, "Pss"))


def _row(memory: Sequence[Memory]) -> str:
    """The last is a worker, whether or not there is a supervisor."""
    return f"{memory[-1].rss:>6.0f} {memory[-1].pss:>6.0f} {sum(each.pss for each in memory):>7.0f}"


def measure(arguments: argparse.Namespace, model: Model, num_workers: int) -> Figures:
    """Idle, then busy with single sentences on many connections."""
    variables = {"RIBBON_WORKERS": str(num_workers)}
    with ServiceProcess(models_dir=arguments.models_dir, model=model, variables=variables) as service:
        service.wait_for_line("ready")
        time.sleep(SETTLE_SECONDS)
        ready = [Memory.of(pid) for pid in family(service.pid)]
        idle_cpu_percent = 100 * cpu_share(service, arguments.idle_seconds)
        requests = requests_of(model, sentences_for(model).texts, num_items=1)
        check_answer(service, model, requests[0])
        load = saturate(
            service.address,
            requests,
            num_connections=arguments.connections,
            warm_up_seconds=arguments.seconds / 4,
            seconds=arguments.seconds,
        )
        return Figures(
            num_workers=num_workers,
            seconds_to_ready=service.seconds_to_ready,
            idle_cpu_percent=idle_cpu_percent,
            ready=ready,
            after=[Memory.of(pid) for pid in family(service.pid)],
            requests_per_second=load.requests_per_second,
        )


def cpu_share(service: ServiceProcess, seconds: float) -> float:
    """The share of one core that an idle service takes."""
    before, started = service.cpu_seconds, time.perf_counter()
    time.sleep(seconds)
    return (service.cpu_seconds - before) / (time.perf_counter() - started)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description=__doc__)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--model", default="en-tagger", help="whose sentences are sent")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="how many, one after the other")
    parser.add_argument("--connections", type=int, default=32, help="kept alive, each always with a request")
    parser.add_argument("--seconds", type=float, default=8.0, help="of load")
    parser.add_argument("--idle-seconds", type=float, default=10.0, help="without")
    parsed = parser.parse_args(arguments)
    print_machine(this_machine())
    (bundle,) = choose(parsed.models_dir, name=parsed.model)
    print("                            when ready, MiB         after the load, MiB")
    print("                            a worker      total     a worker      total    single sentences")
    print("workers  ready s  idle CPU   RSS    PSS     PSS     RSS    PSS     PSS  a second")
    for num_workers in parsed.workers:
        print(measure(parsed, open_model(bundle), num_workers), flush=True)


if __name__ == "__main__":
    main()

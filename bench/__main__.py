"""``python -m bench``: start the service, measure each task's model, print tables, write JSON."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.latency import measure_latency
from bench.machine import this_machine
from bench.memory import Memory, measure_memory
from bench.mixed import Mixed, measure_mixed, traffic_of
from bench.model import Model, choose, open_model
from bench.process import ROOT, ServiceProcess
from bench.raw import sweep
from bench.report import Report, Speed, print_machine, print_table, write_json
from bench.throughput import measure_throughput
from bench.workload import Workload, text_of_about, workloads_of
from service.runtime.resources import available_cores


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--model", help="a bundle's name; default: the default one of every task")
    parser.add_argument("--precision", help="fp32 or int8, for bundles that have it; default: as the bundle says")
    parser.add_argument("--rounds", type=int, default=5, help="turns of raw, 1 and many texts a request")
    parser.add_argument("--seconds", type=float, default=4.0, help="of one measurement in a round")
    parser.add_argument("--requests", type=int, default=300, help="idle requests for the latency")
    parser.add_argument("--load", type=float, default=0.5, help="mixed traffic, as a share of the capacity")
    parser.add_argument("--mixed-seconds", type=float, default=10.0, help="of one turn of mixed traffic")
    parser.add_argument("--no-mixed", action="store_true", help="leave out the mixed traffic")
    parser.add_argument("--no-memory", action="store_true", help="leave out the largest requests")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "benchmarks.json")
    return parser.parse_args(arguments)


def measure(arguments: argparse.Namespace, model: Model) -> Report:
    """A fresh service for the memory, another for the speed: neither sees the other's traffic."""
    workloads = workloads_of(model)
    start = partial(ServiceProcess, models_dir=arguments.models_dir, model=model, precision=arguments.precision)
    memory: Memory | None = None
    if not arguments.no_memory:
        with start() as service:
            memory = measure_memory(service, model, workloads[0].texts)
    with start() as service:
        return Report(
            bundle=model.title,
            seconds_to_ready=service.seconds_to_ready,
            speeds=[measure_speed(arguments, service, model, workload) for workload in workloads],
            mixed=measure_mixture(arguments, service, model, workloads),
            memory=memory,
        )


def measure_speed(arguments: argparse.Namespace, service: ServiceProcess, model: Model, workload: Workload) -> Speed:
    """The service is idle while the bare network has its turn."""
    num_threads = available_cores()
    speeds = sweep(model, workload.texts, num_threads=num_threads, seconds=arguments.seconds / 4)
    best = max(speeds, key=lambda speed: speed.words_per_second)
    text = text_of_about(workload.texts, workload.idle_num_words)
    latency = measure_latency(service.address, model, text, num_requests=arguments.requests)
    throughput = measure_throughput(
        service,
        model,
        workload,
        best_num_rows=best.num_rows,
        num_threads=num_threads,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
    )
    return Speed(noun=workload.noun, bare=model.bare, raw_sweep=speeds, throughput=throughput, latency=latency)


def measure_mixture(
    arguments: argparse.Namespace, service: ServiceProcess, model: Model, workloads: Sequence[Workload]
) -> Mixed | None:
    """Measure mixed traffic if the model reads reviews too."""
    texts = {workload.noun: workload.texts for workload in workloads}
    if arguments.no_mixed or "reviews" not in texts:
        return None
    traffic = traffic_of(model, texts["sentences"], texts["reviews"])
    return measure_mixed(
        service, traffic, load=arguments.load, rounds=arguments.rounds, seconds=arguments.mixed_seconds
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parsed = parse_arguments(arguments)
    machine, reports = this_machine(), []
    print_machine(machine)
    for bundle in choose(parsed.models_dir, name=parsed.model, precision=parsed.precision):
        reports.append(measure(parsed, open_model(bundle, precision=parsed.precision)))
        print_table(reports[-1])
    write_json(machine, reports, parsed.output)
    print(f"\nEvery measurement: {parsed.output}")


if __name__ == "__main__":
    main()

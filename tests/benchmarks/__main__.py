"""``python -m tests.benchmarks``: start the service, measure it, print a table, write JSON."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from tests.benchmarks.latency import measure_latency
from tests.benchmarks.machine import this_machine
from tests.benchmarks.memory import measure_memory
from tests.benchmarks.model import Model, load_model
from tests.benchmarks.process import ROOT, ServiceProcess
from tests.benchmarks.raw import sweep
from tests.benchmarks.report import Report, print_table, write_json
from tests.benchmarks.throughput import measure_throughput
from tests.benchmarks.workload import read_texts, text_of_about

LATENCY_NUM_WORDS = 20


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--model", help="a bundle's name; default: the first tagger")
    parser.add_argument("--precision", help="fp32 or int8; default: as the bundle says")
    parser.add_argument("--rounds", type=int, default=5, help="turns of raw, 1 and 32 sentences a request")
    parser.add_argument("--seconds", type=float, default=4.0, help="of one measurement in a round")
    parser.add_argument("--requests", type=int, default=300, help="idle requests for the latency")
    parser.add_argument("--no-memory", action="store_true", help="leave out the largest batches")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "benchmarks.json")
    return parser.parse_args()


def measure(arguments: argparse.Namespace, model: Model) -> Report:
    """A fresh service for the memory, another for the speed: neither sees the other's traffic."""
    machine, texts = this_machine(), read_texts(model)
    start = partial(ServiceProcess, models_dir=arguments.models_dir, model=model)
    memory = None
    if not arguments.no_memory:
        with start() as service:
            memory = measure_memory(service, texts)
    speeds = sweep(model, texts, num_threads=machine.num_cores, seconds=arguments.seconds / 4)
    best = max(speeds, key=lambda speed: speed.words_per_second)
    with start() as service:
        latency = measure_latency(
            service.address,
            model,
            text_of_about(texts, LATENCY_NUM_WORDS),
            num_requests=arguments.requests,
        )
        throughput = measure_throughput(
            service,
            model,
            texts,
            best_num_rows=best.num_rows,
            num_threads=machine.num_cores,
            rounds=arguments.rounds,
            seconds=arguments.seconds,
        )
    return Report(
        machine=machine,
        bundle=model.title,
        seconds_to_ready=service.seconds_to_ready,
        raw_sweep=speeds,
        throughput=throughput,
        latency=latency,
        memory=memory,
    )


def main() -> None:
    arguments = parse_arguments()
    report = measure(arguments, load_model(arguments.models_dir, name=arguments.model, precision=arguments.precision))
    print_table(report)
    write_json(report, arguments.output)
    print(f"\nEvery measurement: {arguments.output}")


if __name__ == "__main__":
    main()

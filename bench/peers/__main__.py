"""Compare this service with its peers: ``python -m bench.peers``.

Every server has the same bundle, the same text pipeline and all cores, and is set as its documentation recommends
(``servers.py``). All run at once and are asked in turns, in an order that turns with the round; a figure is the median
of the rounds, and ratios are those of medians of one run. CPU time a request (user and system, of all processes of the
server) depends less on what else the machine does than requests a second do. ``--before DIR`` lets another checkout of
this service take part.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from bench.client import Connection, Request, saturate
from bench.machine import this_machine
from bench.mixture import DEADLINE_HEADER, with_header
from bench.model import Model, choose, open_model
from bench.open_loop import poisson
from bench.peers.pipeline import BUNDLES
from bench.peers.servers import PEERS, Running, Server, install_packages, ribbon
from bench.process import ROOT
from bench.storm import LOST, storm
from bench.workload import requests_of, sentences_for

CONNECTIONS = {"one": 64, "many": 32, "idle": 1}
MANY = 32
DEADLINE_MS = 500
WARM_UP_SECONDS = 1.0
STORM_CONNECTIONS = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One server's figures in one round."""

    server: str
    single_rps: float = 0.0  # single sentences a second, closed loop
    single_cpu_us: float = 0.0  # CPU time of the server a request
    many_wps: float = 0.0  # words a second, 32 sentences a request
    many_cpu_us: float = 0.0  # CPU time of the server a sentence
    idle_ms: float = 0.0  # p50 of one caller alone
    pss_mib: float = 0.0
    good_rps: float = 0.0  # under overload: answers within the deadline
    late: float = 0.0  # share of the answers that came after it
    p99_ms: float = 0.0  # of the answers
    refused_p99_ms: float = 0.0
    lost: int = 0  # requests there whose connection was closed before they were answered


COLUMNS = {
    "single_rps": ("single sentences/s", ",.0f"),
    "single_cpu_us": ("CPU µs each", ",.0f"),
    "many_wps": ("32 sentences, words/s", ",.0f"),
    "many_cpu_us": ("CPU µs a sentence", ",.0f"),
    "idle_ms": ("idle p50, ms", ".2f"),
    "pss_mib": ("PSS, MiB", ".0f"),
    "good_rps": ("goodput under overload/s", ",.0f"),
    "late": ("late", ".1%"),
    "p99_ms": ("p99 there, ms", ".0f"),
    "refused_p99_ms": ("p99 of refusals, ms", ".1f"),
    "lost": ("lost there", ".0f"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Plan of what is measured of each server."""

    model: Model
    models_dir: Path
    singles: Sequence[Request]
    many: Sequence[Request]
    seconds: float
    parts: frozenset[str]
    overload_rps: float


def closed_loop(running: Running, requests: Sequence[Request], kind: str, seconds: float) -> tuple[float, float, float]:
    """Return requests a second, words a second, and the server's CPU seconds a request."""
    warm_up = seconds / 4
    saturate(running.address, requests, num_connections=CONNECTIONS[kind], warm_up_seconds=0.0, seconds=warm_up)
    before = running.cpu_seconds
    load = saturate(running.address, requests, num_connections=CONNECTIONS[kind], warm_up_seconds=0.0, seconds=seconds)
    cpu_seconds = running.cpu_seconds - before
    return load.requests_per_second, load.words_per_second, cpu_seconds / max(1, load.num_answers)


def idle_milliseconds(running: Running, request: Request, number: int = 200) -> float:
    """Return the median time of one caller's requests, one after another."""
    times = []
    with Connection(running.address) as connection:
        for _ in range(number):
            began = time.perf_counter()
            connection.ask(request.content)
            times.append(1e3 * (time.perf_counter() - began))
            time.sleep(0.002)
    return statistics.median(times)


def overload(running: Running, plan: Plan) -> Mapping[str, float]:
    """Play an open loop of single sentences that have a deadline."""
    header = f"{DEADLINE_HEADER}: {DEADLINE_MS}"
    hurried = [with_header(each, header) for each in plan.singles]
    seconds = plan.seconds + WARM_UP_SECONDS
    arrivals = list(poisson(hurried, kind="singles", rate=plan.overload_rps, seconds=seconds, seed=1))
    replies = [
        each
        for each in storm(running.address, arrivals, num_connections=STORM_CONNECTIONS).replies
        if each.arrival.at >= WARM_UP_SECONDS
    ]
    answered = sorted(each.seconds for each in replies if each.status == 200)
    refused = sorted(each.seconds - each.sent_after for each in replies if each.status not in (200, LOST))
    good = sum(seconds <= DEADLINE_MS / 1000 for seconds in answered)
    return {
        "good_rps": good / plan.seconds,
        "late": 1 - good / max(1, len(answered)),
        "p99_ms": 1e3 * p99(answered),
        "refused_p99_ms": 1e3 * p99(refused),
        "lost": sum(each.status == LOST for each in replies),
    }


def p99(ordered: Sequence[float]) -> float:
    return ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A server's processes: those of its usual settings, and those that requests of 32 sentences go to."""

    name: str
    running: Running
    for_many: Running


def start(servers: Sequence[Server], plan: Plan, stack: ExitStack) -> list[Started]:
    """Start all servers, each twice where its settings for large requests differ. One that nobody asks takes next to
    no processor time, so that all may run while one is measured."""

    def run(server: Server, more: Mapping[str, str]) -> Running:
        return stack.enter_context(Running(server, plan.model.task, plan.models_dir, plan.singles[0], more))

    started = []
    for server in servers:
        running = run(server, {})
        is_twice = bool(server.many) and "many" in plan.parts
        started.append(
            Started(name=server.name, running=running, for_many=run(server, server.many) if is_twice else running)
        )
    return started


def measure(server: Started, plan: Plan) -> Figures:
    """Measure all parts of the plan once."""
    found: dict[str, float] = {"pss_mib": server.running.memory}
    if "idle" in plan.parts:
        found["idle_ms"] = idle_milliseconds(server.running, plan.singles[0])
    if "one" in plan.parts:
        rps, _, cpu = closed_loop(server.running, plan.singles, "one", plan.seconds)
        found |= {"single_rps": rps, "single_cpu_us": 1e6 * cpu}
    if "many" in plan.parts:
        _, wps, cpu = closed_loop(server.for_many, plan.many, "many", plan.seconds)
        found |= {"many_wps": wps, "many_cpu_us": 1e6 * cpu / MANY}
    if "overload" in plan.parts:
        found |= overload(server.running, plan)
    return Figures(server=server.name, **found)


def table(rounds: Sequence[Figures], names: Sequence[str]) -> str:
    """Return a table of medians, a row a server."""
    medians = {
        name: {
            column: statistics.median(getattr(each, column) for each in rounds if each.server == name)
            for column in COLUMNS
        }
        for name in names
    }
    columns = [column for column in COLUMNS if any(medians[name][column] for name in names)]
    lines = ["| | " + " | ".join(COLUMNS[column][0] for column in columns) + " |"]
    lines.append("| --- |" + " ---: |" * len(columns))
    for name in names:
        values = (format(medians[name][column], COLUMNS[column][1]) for column in columns)
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--task", choices=sorted(BUNDLES), default="tag")
    parser.add_argument("--peers", nargs="*", choices=sorted(PEERS), default=sorted(PEERS))
    parser.add_argument("--before", type=Path, help="another checkout of this service, measured too")
    parser.add_argument("--workers", nargs="*", default=["auto"], help="RIBBON_WORKERS, a server each")
    parser.add_argument("--before-workers", default="1", help="RIBBON_WORKERS of the other checkout")
    parser.add_argument("--parts", nargs="*", default=["one", "many", "idle", "overload"])
    parser.add_argument("--overload-rps", type=float, default=3200.0, help="requests a second that arrive")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each part of a round")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "peers.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison, and print its table after every round."""
    parsed = parse_arguments(arguments)
    if parsed.peers:
        install_packages()
    servers = [ribbon(f"ribbon, workers {each}", ROOT, {"RIBBON_WORKERS": each}) for each in parsed.workers]
    if parsed.before:
        workers = {"RIBBON_WORKERS": parsed.before_workers}
        servers.append(ribbon(f"before, workers {parsed.before_workers}", parsed.before.resolve(), workers))
    servers += [PEERS[name] for name in parsed.peers]
    model = open_model(choose(parsed.models_dir, name=BUNDLES[parsed.task])[0])
    texts = [text for text in sentences_for(model).texts if text.rows]
    plan = Plan(
        model=model,
        models_dir=parsed.models_dir,
        singles=requests_of(model, texts, num_items=1),
        many=requests_of(model, texts, num_items=MANY),
        seconds=parsed.seconds,
        parts=frozenset(parsed.parts),
        overload_rps=parsed.overload_rps,
    )
    machine, found = this_machine(), list[Figures]()
    with ExitStack() as stack:
        started = start(servers, plan, stack)
        for number in range(parsed.rounds):
            for server in started[number % len(started) :] + started[: number % len(started)]:
                found.append(measure(server, plan))
                print(msgspec.json.encode(found[-1]).decode(), flush=True)
    print(table(found, [server.name for server in servers]))
    parsed.output.parent.mkdir(parents=True, exist_ok=True)
    parsed.output.write_bytes(
        msgspec.json.encode({"machine": asdict(machine), "rounds": [asdict(each) for each in found]})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

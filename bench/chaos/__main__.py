"""``python -m bench.chaos --minutes 10 --seed 1``: the service under load while everything goes wrong around it."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import uvloop

from bench.chaos.proxy import is_installed
from bench.chaos.records import count
from bench.chaos.report import print_table, print_verdict, record_rows, refusals, resource_rows, timeline
from bench.chaos.run import Options, Outcome, run
from bench.chaos.schedule import Trouble, make_schedule
from bench.machine import this_machine


def main() -> int:
    """Run the test; returns 0 if every promise was kept."""
    arguments = parse()
    if not is_installed():
        print("HAProxy is not installed: clients go straight to the instances, and step aside in a restart.")
    options = Options(
        seconds=60 * arguments.minutes,
        seed=arguments.seed,
        workers=arguments.workers,
        threads=arguments.threads,
        share=arguments.share,
        with_proxy=is_installed() and not arguments.no_proxy,
        folder=arguments.folder,
    )
    schedule = make_schedule(seconds=options.seconds, seed=options.seed).only(arguments.only)
    outcome = uvloop.run(run(options, schedule))
    show(outcome)
    write(outcome, options, arguments.output)
    return 1 if outcome.reasons else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="of trouble; start, warm-up and rests come on top")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same trouble at the same moments")
    parser.add_argument("--workers", type=int, default=2, help="RIBBON_WORKERS of each of the two instances")
    parser.add_argument("--threads", type=int, default=None, help="RIBBON_THREADS of each instance")
    parser.add_argument("--share", type=float, default=0.4, help="of the measured capacity")
    parser.add_argument(
        "--only", type=Trouble, nargs="+", default=list(Trouble), choices=list(Trouble), help="leave out all others"
    )
    parser.add_argument("--no-proxy", action="store_true", help="go without HAProxy although it is there")
    parser.add_argument("--folder", type=Path, default=Path("runs/chaos"), help="for logs and copies of models")
    parser.add_argument("--output", type=Path, default=Path("runs/chaos.json"))
    return parser.parse_args()


def show(outcome: Outcome) -> None:
    entries = outcome.stage.clients.entries
    print(f"capacity {outcome.capacity:.0f} requests/s, load {outcome.stage.rate:.0f} requests/s")
    print("machine: " + ", ".join(f"{name} {value:g}" for name, value in outcome.machine.items()))
    print_table("Timeline", timeline(outcome.stage, outcome.started))
    print_table("Requests", record_rows(entries))
    print(
        f"  refused: {refusals(entries) or 'none'}; retried by the proxy: {sum(each.retries > 0 for each in entries)}"
    )
    print_table("Processes at rest", list(resource_rows(outcome.before, outcome.after)))
    print()
    print_verdict(outcome.reasons)


def write(outcome: Outcome, options: Options, output: Path) -> None:
    entries = outcome.stage.clients.entries
    document = {
        "machine": asdict(this_machine()),
        "options": {name: str(value) for name, value in asdict(options).items()},
        "capacity_requests_per_second": outcome.capacity,
        "load_requests_per_second": outcome.stage.rate,
        "machine_meanwhile": outcome.machine,
        "timeline": timeline(outcome.stage, outcome.started),
        "outcomes": count(entries),
        "outcomes_by_request": record_rows(entries),
        "refusals": refusals(entries),
        "retried_by_the_proxy": sum(each.retries > 0 for each in entries),
        "processes": list(resource_rows(outcome.before, outcome.after)),
        "reasons": [asdict(reason) for reason in outcome.reasons],
        "passed": not outcome.reasons,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

"""``python -m bench.load``: start the service, raise the load on each endpoint until it is too much, print a table.

``--pattern overload`` sends half, all, three times and ten times of ``--rate`` instead; every option of
``bench/load/locustfile.py`` is passed on. ``--host`` loads a service that runs already.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.machine import this_machine
from bench.process import ROOT, ServiceProcess
from bench.report import print_machine

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
USERS = {
    "/tag": "Reader",
    "/classify": "Critic",
    "/translate": "Traveller",
    "/generate": "Writer",
    "/score": "Editor",
}
FIRST_RATES = {"/tag": 200.0, "/classify": 200.0, "/translate": 20.0}


def parse_arguments(arguments: Sequence[str] | None = None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--host", help="http://…: a service that runs; default: one is started")
    parser.add_argument("--routes", nargs="+", choices=sorted(USERS), default=list(USERS), help="one after the other")
    parser.add_argument("--pattern", default="ramp")
    parser.add_argument("--rate", type=float, help="requests a second; default: a ramp's first, by route")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each route")
    parser.add_argument("--output", type=Path, default=Path("runs/load"))
    return parser.parse_known_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load; returns 1 if an objective was not met, 2 if Locust is not installed."""
    options, passed_on = parse_arguments(arguments)
    try:
        import locust  # noqa: F401
    except ImportError:
        print("Locust is not installed: .venv/bin/pip install -e '.[load]'")
        return 2
    print_machine(this_machine())
    with service(options.host) as host:
        statuses = [run_locust(route, host, options, passed_on) for route in options.routes]
    if options.pattern == "ramp" and max(statuses) <= 1:
        print_saturation(options)
    return max(statuses)


def run_locust(route: str, host: str, options: argparse.Namespace, passed_on: Sequence[str]) -> int:
    print(f"\n{route}: {options.pattern}", flush=True)
    rate = options.rate or FIRST_RATES[route]
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", host, "--headless", "--only-summary"]
    command += ["--loglevel", "ERROR", "--pattern", options.pattern, "--rate", str(rate)]
    command += ["--seconds", str(options.seconds), "--output", str(folder_of(route, options)), *passed_on]
    return subprocess.run([*command, USERS[route]], check=False).returncode


def folder_of(route: str, options: argparse.Namespace) -> Path:
    return Path(options.output, route.strip("/"))


def print_saturation(options: argparse.Namespace) -> None:
    """One line a route."""
    print(f"\n{'saturation':12} {'requests/s':>11} {'items/s':>9} {'words/s':>9} {'p50 ms':>8} {'p99 ms':>8}")
    for route in options.routes:
        found = json.loads(folder_of(route, options).joinpath("load.json").read_text("utf-8"))["saturation"]
        if found is None:
            print(f"{route:12} {'none':>11}")
            continue
        print(
            f"{route:12} {found['offered']:11,.0f} {found['good_items']:9,.0f} {found['good_words']:9,.0f} "
            f"{found['p50_milliseconds']:8.1f} {found['p99_milliseconds']:8.1f}"
        )
    print(f"\nBy second, and pages with pictures: {options.output}/*/load.csv and load.html")


@contextlib.contextmanager
def service(host: str | None) -> Iterator[str]:
    """The one that runs already, or one on a free port with every model that ships."""
    if host is not None:
        yield host
        return
    with ServiceProcess(models_dir=ROOT / "models") as started:
        yield started.url


if __name__ == "__main__":
    sys.exit(main())

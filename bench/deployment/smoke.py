"""Smoke test of the stack of docker-compose.yml, from Debian's packages: ``python -m bench.deployment.smoke``.

HAProxy, Prometheus and Alertmanager with the files of deploy/, addresses and intervals apart; two instances; callers
who ask through HAProxy all the time. One instance is killed: its alert has to become pending, fire, reach Alertmanager
and, once the instance runs again, go. No caller may notice, but those whose request was on its way in the killed one.
Prints what happened when; exit status 1 if anything was not so.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import yaml

from bench.deployment.callers import Callers
from bench.process import DEPLOY, SERVICE, Program, ask, free_ports, wait_for
from bench.programs import PACKAGES, found, missing

ALERT = "RibbonDown"
NUM_CALLERS = 4
PAUSE_SECONDS = 0.02  # of a caller between two requests: light load
FOR = "10s"  # in place of the alert's own minute
SCRAPE = "1s"
QUIET_SECONDS = 5.0  # of load before and after
REQUESTS = [
    ("/tag", {"text": "Kim moved to Hong Kong on Friday."}),
    ("/classify", {"text": "I love this book."}),
    ("/translate", {"text": "I love this book.", "target": "es"}),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The stack's programs, and where they answer."""

    instances: tuple[Program, Program]
    proxy: Program
    prometheus: Program
    alertmanager: Program
    address: str
    watcher: str
    told: str

    def alert(self) -> str:
        """Return the state of the alert in Prometheus: ``inactive``, ``pending`` or ``firing``."""
        query = urlencode({"query": f'ALERTS{{alertname="{ALERT}"}}'})
        result = json.loads(ask(f"{self.watcher}/api/v1/query?{query}")[1])["data"]["result"]
        return result[0]["metric"]["alertstate"] if result else "inactive"

    def heard_of(self) -> bool:
        """Whether Alertmanager knows."""
        alerts = json.loads(ask(f"{self.told}/api/v2/alerts?active=true")[1])
        return ALERT in [each["labels"]["alertname"] for each in alerts]


def instance(port: int, *, admin: int) -> Program:
    ports = {"RIBBON_PORT": str(port), "RIBBON_ADMIN_PORT": str(admin)}
    environment = {**os.environ, **ports, "RIBBON_DRAIN_SECONDS": "1", "RIBBON_LOG_LEVEL": "warning"}
    ready = f"http://127.0.0.1:{port}/health/ready"
    return Program(command=SERVICE, ready=ready, environment=environment)


def proxy(port: int, ports: tuple[int, int]) -> Program:
    addresses = {
        "BIND": f"127.0.0.1:{port}",
        "INSTANCE_A": f"127.0.0.1:{ports[0]}",
        "INSTANCE_B": f"127.0.0.1:{ports[1]}",
    }
    command = [str(found("haproxy")), "-db", "-f", str(DEPLOY / "haproxy" / "haproxy.cfg")]
    return Program(
        command=command, ready=f"http://127.0.0.1:{port}/health/ready", environment={**os.environ, **addresses}
    )


def prometheus(folder: Path, port: int, *, instances: tuple[int, int], alertmanager: int) -> Program:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE}
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{alertmanager}"]
    targets = {"ribbon": [f"127.0.0.1:{each}" for each in instances], "prometheus": [f"127.0.0.1:{port}"]}
    for job in config["scrape_configs"]:
        job["static_configs"][0]["targets"] = targets[job["job_name"]]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    (folder / "rules").mkdir()
    for path in (DEPLOY / "prometheus" / "rules").glob("*.yml"):
        rules = yaml.safe_load(path.read_text("utf-8"))
        for rule in (rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == ALERT):
            rule["for"] = FOR
        (folder / "rules" / path.name).write_text(yaml.safe_dump(rules), "utf-8")
    files = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'prometheus'}"]
    command = [str(found("prometheus")), *files, f"--web.listen-address=127.0.0.1:{port}"]
    return Program(command=command, ready=f"http://127.0.0.1:{port}/-/ready")


def alertmanager(folder: Path, port: int) -> Program:
    files = [
        f"--config.file={DEPLOY / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}",
    ]
    listen = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    return Program(
        command=[str(found("prometheus-alertmanager")), *files, *listen], ready=f"http://127.0.0.1:{port}/-/ready"
    )


def stack(folder: Path) -> Stack:
    a, b, admin_of_a, admin_of_b, front, watching, telling = free_ports(7)
    return Stack(
        instances=(instance(a, admin=admin_of_a), instance(b, admin=admin_of_b)),
        proxy=proxy(front, (a, b)),
        prometheus=prometheus(folder, watching, instances=(admin_of_a, admin_of_b), alertmanager=telling),
        alertmanager=alertmanager(folder, telling),
        address=f"http://127.0.0.1:{front}",
        watcher=f"http://127.0.0.1:{watching}",
        told=f"http://127.0.0.1:{telling}",
    )


def play(all_: Stack, callers: Callers, say: Callable[[str], None]) -> float:
    """Kill, watch the alert come, start again, watch it go. Returns the callers' second in which it was killed."""
    time.sleep(QUIET_SECONDS)
    wait_for(lambda: all_.alert() == "inactive", seconds=20, what="a quiet start")
    say(
        "failures before anything was done" if callers.failed() else f"{len(callers.outcomes)} answers, all well so far"
    )
    killed = all_.instances[0]
    at = callers.seconds
    killed.kill()
    say("one instance is killed")
    wait_for(lambda: all_.alert() == "pending", seconds=20, what=f"{ALERT} pending")
    say(f"{ALERT} is pending")
    wait_for(lambda: all_.alert() == "firing", seconds=60, what=f"{ALERT} firing")
    say(f"{ALERT} fires")
    wait_for(all_.heard_of, seconds=20, what="Alertmanager hearing of it")
    say("Alertmanager has heard of it")
    killed.start()
    say("the instance is ready again")
    wait_for(lambda: all_.alert() == "inactive", seconds=30, what=f"{ALERT} inactive")
    say(f"{ALERT} is gone")
    time.sleep(QUIET_SECONDS)
    return at


def judge(callers: Callers, killed_at: float) -> list[str]:
    """Say what was not as it should be."""
    failed = callers.failed()
    wrong = [f"{outcome} {at - killed_at:+.2f} s" for at, outcome in failed if not 0 <= at - killed_at < 1.0]
    if len(failed) > NUM_CALLERS:
        wrong.append(f"{len(failed)} failures of {NUM_CALLERS} callers: more than were on their way")
    return wrong


def main() -> int:
    lacking = missing(("haproxy", "prometheus", "prometheus-alertmanager"))
    if lacking:
        print("\n".join(f"not installed: {name} ({PACKAGES[name]})" for name in lacking))
        return 1
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        whole = stack(Path(folder))
        with ExitStack() as running:
            for program in (*whole.instances, whole.proxy, whole.alertmanager, whole.prometheus):
                running.enter_context(program)
            say("two instances, HAProxy, Alertmanager and Prometheus are up")
            with Callers(whole.address, REQUESTS, number=NUM_CALLERS, pause=PAUSE_SECONDS) as callers:
                killed_at = play(whole, callers, say)
    wrong = judge(callers, killed_at)
    say(f"{len(callers.outcomes)} requests: {dict(callers.counts())}")
    print("\n".join(["FAIL", *wrong]) if wrong else "PASS: nobody noticed but those who were on their way in it")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

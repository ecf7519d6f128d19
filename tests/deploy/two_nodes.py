"""Two Ray nodes on this machine serve together; one is killed under load, and another takes its place.

    pip install 'ray[serve]' -e . && python -m tests.deploy.two_nodes

Prints, second by second, what was answered, and in the end what the killed node cost. The exit status is 1 if requests
failed other than around the kill, or if the second replica did not come back.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import ray
from ray import serve

from bench.process import ROOT, family

HEAD, PORT = "127.0.0.1:6399", 8811
NUM_CLIENTS = 6
BEFORE_SECONDS, WITHOUT_SECONDS, AFTER_SECONDS = 8.0, 8.0, 8.0
NOTICED_SECONDS = 3.0  # within which the killed replica is no longer asked
START_SECONDS = 120.0
BODY = json.dumps({"text": "The committee met in Geneva on Monday."})


@dataclass(slots=True)
class Load:
    """Clients in a closed loop, and what became of each request by the second in which it ended."""

    started_at: float = field(default_factory=time.monotonic)
    statuses: list[tuple[float, int]] = field(default_factory=list)
    is_over: bool = False

    def ask_on_and_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        while not self.is_over:
            try:
                connection.request("POST", "/tag", BODY, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            self.statuses.append((time.monotonic() - self.started_at, status))

    def by_second(self) -> dict[int, Counter[int]]:
        seconds: dict[int, Counter[int]] = {}
        for moment, status in self.statuses:
            seconds.setdefault(int(moment), Counter())[status] += 1
        return seconds


@contextmanager
def node(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Ray node of one core in a process group of its own."""
    command = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
    process = subprocess.Popen(
        [*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Everything of the node at once, as when a machine is lost."""
    for pid in family(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def wait_for(what: str, is_so: Callable[[], bool]) -> float:
    """Seconds that it took. Raises TimeoutError."""
    started = time.monotonic()
    while time.monotonic() - started < START_SECONDS:
        if is_so():
            return time.monotonic() - started
        time.sleep(0.2)
    raise TimeoutError(f"not within {START_SECONDS:.0f} s: {what}")


def num_nodes() -> int:
    return sum(bool(each["Alive"]) for each in ray.nodes())


def num_replicas() -> int:
    deployment = serve.status().applications["ribbon"].deployments["Ribbon"]
    return deployment.replica_states.get("RUNNING", 0)


def connect() -> bool:
    """Whether the head is there by now."""
    try:
        environment = {
            "RIBBON_DEVICE": "cpu",
            "RIBBON_MODELS_DIR": str(ROOT / "models"),
            "RIBBON_LOG_LEVEL": "warning",
            "PYTHONPATH": str(ROOT),
        }
        ray.init(address=HEAD, runtime_env={"env_vars": environment}, log_to_driver=False, logging_level="ERROR")
    except ConnectionError:
        return False
    return True


def deploy() -> None:
    """A replica for each node."""
    from deploy.ray.application import Ribbon

    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": PORT})
    spread = {"num_cpus": 1}
    serve.run(Ribbon.options(autoscaling_config=None, num_replicas=2, ray_actor_options=spread).bind(), name="ribbon")


def main() -> int:
    with node("--head", "--port=6399", "--include-dashboard=false"):
        wait_for("the head", connect)
        with node(f"--address={HEAD}") as second:
            print(f"second node after {wait_for('the second node', lambda: num_nodes() == 2):.1f} s")
            deploy()
            load = Load()
            clients = [threading.Thread(target=load.ask_on_and_on) for _ in range(NUM_CLIENTS)]
            for client in clients:
                client.start()
            time.sleep(BEFORE_SECONDS)
            killed_at = time.monotonic() - load.started_at
            kill(second)
            time.sleep(WITHOUT_SECONDS)
            with node(f"--address={HEAD}"):
                back = wait_for("the second replica", lambda: num_replicas() == 2)
                time.sleep(AFTER_SECONDS)
                load.is_over = True
                for client in clients:
                    client.join()
                return report(load, killed_at=killed_at, back=back)


def report(load: Load, *, killed_at: float, back: float) -> int:
    print(f"{'second':>6} {'answered':>9} {'failed':>7}")
    for second, statuses in sorted(load.by_second().items()):
        event = "  one node killed" if second == int(killed_at) else ""
        print(f"{second:6} {statuses[200]:9} {statuses.total() - statuses[200]:7}{event}")
    failed = [moment for moment, status in load.statuses if status != 200]
    elsewhere = [moment for moment in failed if not killed_at <= moment <= killed_at + NOTICED_SECONDS]
    print(f"{len(failed)} of {len(load.statuses)} requests failed, {len(elsewhere)} of them not around the kill")
    print(f"the second replica was back {back:.1f} s after a new node was started")
    return 1 if elsewhere or len(failed) > 2 * NUM_CLIENTS else 0


if __name__ == "__main__":
    sys.exit(main())

"""Two Ray nodes on this machine serve together; one is killed under load, and another takes its place.

    pip install 'ray[serve]' -e . && python -m bench.deployment.two_nodes

Prints, second by second, what was answered, and in the end what the killed node cost. The exit status is 1 if requests
failed other than around the kill, or if the second replica did not come back.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import ray
from ray import serve

from bench.deployment.callers import OK, Callers
from bench.process import ROOT, family, wait_for

HEAD, PORT = "127.0.0.1:6399", 8811
NUM_CALLERS = 6
BEFORE_SECONDS, WITHOUT_SECONDS, AFTER_SECONDS = 8.0, 8.0, 8.0
NOTICED_SECONDS = 3.0  # within which the killed replica is no longer asked
START_SECONDS = 120.0
REQUESTS = [("/tag", {"text": "The committee met in Geneva on Monday."})]


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
    """End everything of the node at once, as when a machine is lost."""
    for pid in family(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


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
    """Start a replica for each node."""
    from deploy.ray.application import Ribbon

    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": PORT})
    spread = {"num_cpus": 1}
    serve.run(Ribbon.options(autoscaling_config=None, num_replicas=2, ray_actor_options=spread).bind(), name="ribbon")


def main() -> int:
    """Returns 0 if only requests around the kill failed."""
    with node("--head", "--port=6399", "--include-dashboard=false"):
        wait_for(connect, seconds=START_SECONDS, what="the head")
        with node(f"--address={HEAD}") as second:
            seconds = wait_for(lambda: num_nodes() == 2, seconds=START_SECONDS, what="the second node")
            print(f"second node after {seconds:.1f} s")
            deploy()
            callers = Callers(f"http://127.0.0.1:{PORT}", REQUESTS, number=NUM_CALLERS)
            with ExitStack() as later, callers:
                time.sleep(BEFORE_SECONDS)
                killed_at = callers.seconds
                kill(second)
                time.sleep(WITHOUT_SECONDS)
                later.enter_context(node(f"--address={HEAD}"))
                back = wait_for(lambda: num_replicas() == 2, seconds=START_SECONDS, what="the second replica")
                time.sleep(AFTER_SECONDS)
            return report(callers, killed_at=killed_at, back=back)


def report(callers: Callers, *, killed_at: float, back: float) -> int:
    print(f"{'second':>6} {'answered':>9} {'failed':>7}")
    for second, outcomes in callers.by_second().items():
        event = "  one node killed" if second == int(killed_at) else ""
        print(f"{second:6} {outcomes[OK]:9} {outcomes.total() - outcomes[OK]:7}{event}")
    failed = callers.failed()
    elsewhere = [at for at, _ in failed if not killed_at <= at <= killed_at + NOTICED_SECONDS]
    print(f"{len(failed)} of {len(callers.outcomes)} requests failed, {len(elsewhere)} of them not around the kill")
    print(f"the second replica was back {back:.1f} s after a new node was started")
    return 1 if elsewhere or len(failed) > 2 * NUM_CALLERS else 0


if __name__ == "__main__":
    sys.exit(main())

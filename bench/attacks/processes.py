"""Attacks on processes: a worker that stands still, a log that nobody reads, a stop in the midst of streams, and a
manifest without sense."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bench.attacks.victim import JSON_TYPE, PATIENCE_SECONDS, Reply, Victim
from bench.client import Address
from bench.process import ROOT, SERVICE, family, free_port
from service.bundle import MANIFEST

NUM_WORKERS, NUM_REQUESTS = 2, 400  # whose lines in the log are twice as long as a pipe
HUNG_SECONDS, REFUSED_SECONDS = 40.0, 30.0
NUM_STREAMS = 4
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """A service of two workers whose log nobody reads from the moment at which it is ready."""

    process: subprocess.Popen[bytes]
    victim: Victim

    @property
    def pids(self) -> list[int]:
        return family(self.process.pid)[1:]


@contextmanager
def unread_workers(models_dir: Path) -> Iterator[Workers]:
    """Context manager of such a service. Raises RuntimeError if it does not start."""
    address = Address(host="127.0.0.1", port=free_port())
    environment = environment_of(models_dir, RIBBON_PORT=str(address.port), RIBBON_WORKERS=str(NUM_WORKERS))
    process = start(environment)
    try:
        assert process.stderr is not None
        if not any(b'"message":"ready"' in line for line in process.stderr):
            raise RuntimeError("the service with two workers did not start")
        yield Workers(process=process, victim=Victim(pid=process.pid, address=address, admin=address))
    finally:
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def start(environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(SERVICE, cwd=ROOT, env=environment, stderr=subprocess.PIPE, start_new_session=True)


def environment_of(models_dir: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RIBBON_")}
    fixed = {"RIBBON_MODELS_DIR": str(models_dir.resolve()), "RIBBON_DEVICE": "cpu", "RIBBON_THREADS": "1"}
    return kept | fixed | variables


def unread_log(workers: Workers) -> str:
    """Hundreds of requests, whose lines fill the pipe."""
    statuses = [workers.victim.post("/tag", text="Alice").status for _ in range(NUM_REQUESTS)]
    assert set(statuses) == {200}, f"{statuses.count(200)} of {NUM_REQUESTS} were answered"
    return f"{NUM_REQUESTS} requests answered"


def stopped_worker(workers: Workers) -> str:
    """SIGSTOP of a worker: it is noticed, counted and replaced, and new connections are answered meanwhile."""
    began_at, [stopped, *_] = time.monotonic(), workers.pids
    os.kill(stopped, signal.SIGSTOP)
    while stopped in workers.pids or len(workers.pids) < NUM_WORKERS:
        assert time.monotonic() - began_at < HUNG_SECONDS, f"not replaced within {HUNG_SECONDS:.0f} s"
        assert workers.victim.ask("GET", "/health/live", headers={}).status == 200, "liveness was not answered"
        time.sleep(0.1)
    seconds = time.monotonic() - began_at
    metrics = workers.victim.ask("GET", "/metrics", headers={}).body.decode()
    counted = re.search(r'^ribbon_worker_restarts_total\{reason="hung"\} (\S+)$', metrics, re.MULTILINE)
    assert counted, "ribbon_worker_restarts_total is missing"
    assert float(counted[1]) == 1, f"ribbon_worker_restarts_total counts {counted[1]}"
    return f"replaced after {seconds:.0f} s, counted"


def stop_amid_streams(workers: Workers) -> str:
    """SIGTERM while texts are streamed and answered: all that was accepted is finished, and the exit status is 0."""
    text = ["I love this book. " * 10] * 4

    def translate(stream: bool) -> Reply:
        body = json.dumps({"text": text, "target": "es", "stream": stream}).encode()
        # With time enough nothing is refused, however slow the machine is.
        return workers.victim.ask("POST", "/translate", body, {**JSON_TYPE, "X-Request-Timeout-Ms": "600000"})

    with ThreadPoolExecutor(2 * NUM_STREAMS) as pool:
        asked = [pool.submit(translate, number % 2 == 0) for number in range(2 * NUM_STREAMS)]
        while in_flight(workers.victim) <= 2 * NUM_STREAMS and not all(each.done() for each in asked):
            time.sleep(0.01)
        workers.process.send_signal(signal.SIGTERM)
        replies = [each.result() for each in asked]
    bad = [str(each) for each in replies if each.status != 200 or b"event: error" in each.body]
    assert not bad, f"{bad} of {len(replies)}"
    status = workers.process.wait(PATIENCE_SECONDS)
    assert status == 0, f"exit status {status}"
    return f"{len(replies)} answers whole, exit status 0"


def in_flight(victim: Victim) -> float:
    metrics = victim.ask("GET", "/metrics", headers={}).body.decode()
    found = re.search(r"^ribbon_requests_in_flight (\S+)$", metrics, re.MULTILINE)
    return float(found[1]) if found else float("inf")


def absurd_manifest(models_dir: Path, folder: Path) -> str:
    """A bundle whose manifest allows texts of a billion tokens: the start says so, and soon."""
    shutil.copytree(models_dir / "en-tagger", folder / "en-tagger")
    path = folder / "en-tagger" / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    manifest["limits"]["max_tokens"] = 10**9
    path.write_text(json.dumps(manifest), encoding="utf-8")
    began_at = time.monotonic()
    process = start(environment_of(folder, RIBBON_PORT="0"))
    try:
        said = process.communicate(timeout=REFUSED_SECONDS)[1].decode()
    except subprocess.TimeoutExpired:
        raise AssertionError(f"still busy after {REFUSED_SECONDS:.0f} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 1, f"exit status {process.returncode}"
    assert "max_tokens" in said, said[-300:]
    return f"refused after {time.monotonic() - began_at:.0f} s, the field is named"


WORKER_ATTACKS: tuple[tuple[int, str, Callable[[Workers], str]], ...] = (
    (7, "unread log", unread_log),
    (6, "stopped worker", stopped_worker),
    (8, "stop amid streams", stop_amid_streams),
)

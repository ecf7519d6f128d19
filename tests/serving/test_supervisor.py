"""Several workers on one port: seen as one from outside, whatever happens to one of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from service.serving.supervisor import LONGEST_DELAY_SECONDS, delay_after
from tests.application import wait_until
from tests.process import (
    PATIENCE_SECONDS,
    QUICKLY_SECONDS,
    ROOT,
    RunningProcess,
    client_of,
    get,
    heeds,
    metrics_of,
    running,
    say_hello,
)

REQUESTS = 'ribbon_requests_total{route="/tag",status="200"}'


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the service puts what it needs while it runs."""
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


@contextmanager
def two_workers(models: Path, temporary: Path, **choices: str) -> Iterator[tuple[RunningProcess, str]]:
    """Ready, and their address."""
    with running(models, RIBBON_WORKERS="2", TMPDIR=str(temporary), **choices) as service:
        ready = service.line("ready")
        assert ready["workers"] == 2
        yield service, ready["url"]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ask_both(service: RunningProcess, url: str) -> int:
    """Open connections and send a request on each until both workers have answered; how many requests."""
    heard: set[int] = set()
    with ExitStack() as stack:
        for number in range(1, 100):
            client = stack.enter_context(client_of(url))
            assert client.post("/tag", json={"text": "Alice"}).status_code == 200
            heard.add(service.line("request")["worker"])
            if heard == {1, 2}:
                return number
    raise AssertionError(f"only {heard} have answered")


def test_two_workers_answer_and_their_metrics_are_those_of_one_service(models: Path, temporary: Path) -> None:
    with two_workers(models, temporary) as (service, url):
        assert len(service.lines) == 1
        answers = {say_hello(url).content for _ in range(4)}
        assert len(answers) == 1
        for _ in range(4):
            service.line("request")  # by then it has been counted
        num_requests = 4 + ask_both(service, url)
        for _ in range(4):
            samples = metrics_of(url)  # whichever worker is asked
            assert samples[REQUESTS] == num_requests
            assert samples['ribbon_stage_seconds_count{stage="total"}'] == num_requests
            assert samples["ribbon_queue_rows"] == 0
            assert samples['ribbon_worker_resident_bytes{worker="1"}'] > 10_000_000
            assert samples['ribbon_worker_resident_bytes{worker="2"}'] > 10_000_000
            assert not any("pid=" in name for name in samples)
        wait_until(lambda: metrics_of(url)["ribbon_requests_in_flight"] == 1)  # the one that asks
        service.terminate()
        assert service.status() == 0
    assert list(temporary.iterdir()) == []


def test_a_killed_worker_is_replaced_and_what_it_counted_is_not_lost(models: Path, temporary: Path) -> None:
    with two_workers(models, temporary) as (service, url):
        num_requests = ask_both(service, url)
        killed, other = service.workers
        os.kill(killed, signal.SIGKILL)
        ended = service.line("worker ended")
        assert (ended["pid"], ended["status"]) == (killed, "SIGKILL")
        for _ in range(5):
            assert say_hello(url).status_code == 200
        assert service.line("worker replaced")["number"] == ended["number"]
        assert metrics_of(url)["ribbon_worker_starts_total"] == 3
        ask_both(service, url)
        assert other in service.workers
        assert killed not in service.workers
        assert metrics_of(url)[REQUESTS] > num_requests + 5
        assert metrics_of(url)["ribbon_queue_oldest_age_seconds"] == 0
        wait_until(lambda: metrics_of(url)["ribbon_requests_in_flight"] == 1)
        service.terminate()
        assert service.status() == 0


def test_a_worker_killed_at_work_leaves_nothing_in_the_gauges(models: Path, temporary: Path) -> None:
    with two_workers(models, temporary) as (service, url):
        at = httpx.URL(url)
        with socket.create_connection((at.host, at.port)) as caller:
            caller.sendall(b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
            wait_until(lambda: metrics_of(url)["ribbon_requests_in_flight"] == 2)
            for pid in service.workers:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: is_answered(url))
            wait_until(lambda: metrics_of(url)["ribbon_worker_starts_total"] == 4)
            wait_until(lambda: metrics_of(url)["ribbon_requests_in_flight"] == 1)  # the one that asks


def is_answered(url: str) -> bool:
    try:
        return get(url, "/health/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_all_of_them_answer_for_a_while_and_drain(
    models: Path, temporary: Path, signum: signal.Signals
) -> None:
    """Told by a signal to the whole group: a terminal and some process managers do that."""
    with two_workers(models, temporary, RIBBON_DRAIN_SECONDS="1") as (service, url):
        os.killpg(service.popen.pid, signum)
        stopping = {service.line("stopping")["worker"], service.line("stopping")["worker"]}
        assert stopping == {1, 2}
        assert get(url, "/health/ready").status_code == 503
        answer = say_hello(url)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert service.status() == 0


def test_one_that_is_killed_on_its_way_out_is_named(models: Path, temporary: Path) -> None:
    with two_workers(models, temporary, RIBBON_DRAIN_SECONDS="1") as (service, _):
        killed = service.workers[0]
        service.terminate()
        for _ in range(2):
            service.line("stopping")
        os.kill(killed, signal.SIGKILL)
        ended = service.line("worker ended")
        assert (ended["pid"], ended["status"]) == (killed, "SIGKILL")
        assert service.status() == 1


def test_a_signal_while_they_start_ends_them_with_zero(models: Path, temporary: Path) -> None:
    with running(models, RIBBON_WORKERS="2", TMPDIR=str(temporary)) as service:
        wait_until(lambda: heeds(service.popen.pid, signal.SIGHUP))  # about to fork
        service.terminate()
        assert service.status() == 0
        assert not [line for line in service.rest() if line["level"] != "info"]
    assert list(temporary.iterdir()) == []


def test_a_second_signal_ends_all_of_them_at_once(models: Path, temporary: Path) -> None:
    with two_workers(models, temporary, RIBBON_DRAIN_SECONDS=str(PATIENCE_SECONDS)) as (service, _):
        workers = service.workers
        service.terminate()
        service.line("stopping")
        service.terminate()
        assert service.status(QUICKLY_SECONDS) == 128 + signal.SIGTERM
        wait_until(lambda: not any(map(is_alive, workers)), QUICKLY_SECONDS)
    assert list(temporary.iterdir()) == []


def test_without_their_supervisor_they_end(models: Path, temporary: Path) -> None:
    with two_workers(models, temporary) as (service, _):
        workers = service.workers
        assert len(workers) == 2
        service.popen.kill()
        wait_until(lambda: not any(map(is_alive, workers)), QUICKLY_SECONDS)
    assert list(temporary.iterdir()) == []


SCRIPT = """
import os, signal, sys, time
from service.logs import configure_logging
from service.serving.signals import StopSignal
from service.serving.supervisor import Supervisor, SupervisorCallbacks

def wait(context):
    while not context.stop.is_requested:
        context.send_heartbeat()
        time.sleep(0.01)
    return 0

def on_replace(reason):
    print("replaced", reason)
    if reason == "hung":
        stop.request()

def work(context):
    {work}

configure_logging(level="info", format="json")
stop = StopSignal()
stop.install()
callbacks = SupervisorCallbacks(
    on_ready=lambda: {on_ready},
    on_death=lambda number: print("buried", number),
    on_replace=on_replace,
    on_beat=lambda: None,
    reload=lambda: False,
)
supervisor = Supervisor(
    work,
    num_workers=2,
    sockets=(),
    stop=stop,
    drain_seconds={patience},
    callbacks=callbacks,
    heartbeat_seconds=0.05,
)
sys.exit(supervisor.run())
"""


def supervise(
    work: str, *, on_ready: str = "stop.request()", patience: float = PATIENCE_SECONDS
) -> subprocess.CompletedProcess[str]:
    """In a process with one thread, as a fork needs it. Told to stop once all are ready, or a hung one is replaced."""
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(work=work, on_ready=on_ready, patience=patience)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def messages(ended: subprocess.CompletedProcess[str]) -> list[str]:
    return [json.loads(line)["message"] for line in ended.stderr.splitlines()]


def test_workers_that_die_again_and_again_before_they_are_ready_are_given_up() -> None:
    ended = supervise("os.kill(os.getpid(), signal.SIGKILL)")
    assert ended.returncode == 1
    assert messages(ended) == ["worker ended"] * 3 + ["the workers cannot start"]


def test_a_worker_that_knows_it_cannot_start_is_not_asked_again() -> None:
    ended = supervise("if context.number == 2: return 1\n    return wait(context)")
    assert ended.returncode == 1
    assert messages(ended) == ["worker ended", "the workers cannot start"]
    assert sorted(ended.stdout.split()) == ["1", "2", "buried", "buried"]


def test_one_that_does_not_end_in_time_is_killed() -> None:
    ended = supervise(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); context.report_ready(); time.sleep(60)", patience=-4.8
    )
    assert ended.returncode == 1
    assert messages(ended) == ["killed: not done in time", "worker ended", "worker ended"]


def test_one_that_hangs_is_killed_and_replaced() -> None:
    ended = supervise(
        "context.report_ready(); return wait(context)",
        on_ready="os.kill(supervisor._workers[2].process.pid, signal.SIGSTOP)",
    )
    assert messages(ended) == ["worker hangs: killed", "worker ended"]
    assert [json.loads(line)["number"] for line in ended.stderr.splitlines()] == [2, 2]
    assert ended.stdout.splitlines()[:2] == ["buried 2", "replaced hung"]
    assert ended.returncode == 0


def test_one_whose_first_heartbeat_is_late_is_waited_for() -> None:
    ended = supervise("time.sleep(1.5); context.report_ready(); return wait(context)")
    assert (ended.returncode, messages(ended)) == (0, [])


def test_a_hung_worker_of_the_service_is_replaced_and_counted(models: Path, temporary: Path) -> None:
    with two_workers(models, temporary) as (service, url):
        hung, other = service.workers
        os.kill(hung, signal.SIGSTOP)
        assert service.line("worker hangs: killed")["pid"] == hung
        assert service.line("worker ended")["status"] == "SIGKILL"
        service.line("worker replaced")
        assert other in service.workers
        assert metrics_of(url)['ribbon_worker_restarts_total{reason="hung"}'] == 1
        assert metrics_of(url)['ribbon_worker_restarts_total{reason="died"}'] == 0
        service.terminate()
        assert service.status() == 0


def test_workers_draw_different_random_numbers() -> None:
    ended = supervise(
        "import random; print(random.getrandbits(64), flush=True); context.report_ready(); return wait(context)"
    )
    assert ended.returncode == 0
    drawn = [line for line in ended.stdout.splitlines() if not line.startswith("buried")]
    assert len(set(drawn)) == len(drawn) == 2


def test_one_that_was_ready_is_replaced_at_once_others_later_and_later() -> None:
    delays = [delay_after(early_deaths) for early_deaths in range(20)]
    assert delays[0] == 0
    assert delays == sorted(delays)
    assert 0 < delays[1] < delays[2] < delays[-1] == LONGEST_DELAY_SECONDS

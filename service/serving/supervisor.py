"""Supervisor: forks worker processes on one port, replaces those that die or hang, and stops them together.

Workers share the memory of the process that has loaded the models, which uvicorn's and gunicorn's do not
(docs/adr/0010-a-supervisor-of-our-own.md).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection as PipeEnd
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from typing import Literal, NoReturn

from service.serving.signals import StopSignal

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.1, 10.0  # before one that died unready is replaced; doubled each time
MOST_EARLY_DEATHS = 3  # in a row, before all were ready for the first time
KILL_AFTER_SECONDS = 5.0  # beyond the time that draining may take
HEARTBEAT_SECONDS, MAX_MISSED_HEARTBEATS = 1.0, 10
FAILED = 1  # exit status of a worker that cannot start
HANDLED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
READY, HEARTBEAT = b"r", b"."  # sent by workers
_log = logging.getLogger("service")

Reason = Literal["died", "hung"]  # why a worker is replaced


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkerContext:
    """Values that a worker gets from its supervisor: its number, from 1 on, a pipe to the supervisor, and its stop
    signal."""

    number: int
    supervisor: int  # its process id
    pipe: int
    stop: StopSignal

    @property
    def is_orphan(self) -> bool:
        """Whether the supervisor has died."""
        return os.getppid() != self.supervisor

    def report_ready(self) -> None:
        self._send(READY)

    def send_heartbeat(self) -> None:
        self._send(HEARTBEAT)

    def _send(self, message: bytes) -> None:
        with suppress(OSError):  # the supervisor has died, or has not read for long
            os.write(self.pipe, message)


RunWorker = Callable[[WorkerContext], int]  # the exit status


@dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """A worker process as its supervisor sees it. Heartbeats are expected from the first one on."""

    number: int
    process: ForkProcess
    pipe: PipeEnd
    is_ready: bool = False
    is_hung: bool = False
    missed_heartbeats: int | None = None

    @property
    def names(self) -> dict[str, int | None]:  # in the log
        return {"number": self.number, "pid": self.process.pid}

    def send(self, signum: signal.Signals) -> None:
        if self.process.pid is not None and self.process.exitcode is None:
            os.kill(self.process.pid, signum)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SupervisorCallbacks:
    """Functions that a supervisor calls."""

    on_ready: Callable[[], None]  # all workers are, for the first time
    on_death: Callable[[int], None]  # of the worker with this number
    on_replace: Callable[[Reason], None]
    on_beat: Callable[[], None]  # about once a second: no worker is late, but for those that are being replaced
    reload: Callable[[], bool]  # at SIGHUP; whether to pass it on


class Supervisor:
    """Keeps ``num_workers`` processes running.

    They share what this process has in memory when ``run`` is called. A worker that dies is replaced: at once if it had
    been ready, else after a growing delay. One whose event loop sends no heartbeats any more is killed first. SIGTERM
    and SIGINT are passed on as SIGTERM.
    """

    def __init__(
        self,
        run_worker: RunWorker,
        *,
        num_workers: int,
        sockets: Sequence[socket.socket],
        stop: StopSignal,
        drain_seconds: float,
        callbacks: SupervisorCallbacks,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._run_worker = run_worker
        self._num_workers = num_workers
        self._sockets = sockets  # where the workers listen
        self._stop = stop
        self._drain_seconds = drain_seconds
        self._callbacks = callbacks
        self._heartbeat_seconds = heartbeat_seconds
        self._workers: dict[int, Worker] = {}  # by number
        self._due: dict[int, float] = dict.fromkeys(range(1, num_workers + 1), 0.0)  # when missing ones are started
        self._early_deaths = 0  # in a row
        self._has_been_ready = False
        self._wants_reload = False
        self._status: int | None = None  # of this process, once it is stopping
        self._kill_at = inf
        self._check_at = 0.0
        self._woken, self._waker = Pipe(duplex=False)  # written to by signal handlers

    def run(self) -> int:
        """Supervise until asked to stop; returns 0 after all have drained, 1 if they could not start, or one did not
        end well."""
        self._stop.add_listener(self._wake)
        signal.signal(signal.SIGHUP, self._on_hangup)
        while True:
            self._handle_signals()
            if self._status is not None and not self._workers:
                return self._status
            self._start_missing()
            self._wait()
            self._kill_late()
            self._reap()

    def kill(self) -> None:  # all workers, at once
        self._send_all(signal.SIGKILL)

    def _wake(self) -> None:
        os.write(self._waker.fileno(), b".")

    def _on_hangup(self, *_: object) -> None:
        self._wants_reload = True
        self._wake()

    def _handle_signals(self) -> None:
        if self._stop.is_requested and self._status is None:
            self._end(0)
        if self._wants_reload and self._status is None:
            self._wants_reload = False
            if self._callbacks.reload():
                self._send_all(signal.SIGHUP)

    def _end(self, status: int) -> None:
        """Tell the workers to stop. The listening sockets are closed here first: workers close them one after the
        other, and nobody would answer on this one."""
        self._status = status
        self._kill_at = time.monotonic() + self._drain_seconds + KILL_AFTER_SECONDS
        for each in self._sockets:
            each.close()
        self._send_all(signal.SIGTERM)

    def _send_all(self, signum: signal.Signals) -> None:
        for worker in self._workers.values():
            worker.send(signum)

    def _start_missing(self) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now and self._status is None]:
            del self._due[number]
            self._workers[number] = fork_worker(number, self._run_worker)

    def _wait(self) -> None:
        """Wait until there is something to do, and read what the workers have sent."""
        due = self._due.values() if self._status is None else ()
        seconds = min([self._kill_at, self._check_at, *due]) - time.monotonic()
        pipes = {worker.pipe: worker for worker in self._workers.values()}
        sentinels = [worker.process.sentinel for worker in self._workers.values()]
        for ready in wait([self._woken, *pipes, *sentinels], max(0.0, seconds)):
            if ready is self._woken:
                os.read(self._woken.fileno(), 4096)
            elif isinstance(ready, PipeEnd):
                self._receive(pipes[ready])

    def _receive(self, worker: Worker) -> None:
        received = os.read(worker.pipe.fileno(), 4096)
        if received:
            worker.missed_heartbeats = 0
        if READY in received:
            self._on_worker_ready(worker)

    def _on_worker_ready(self, worker: Worker) -> None:
        worker.is_ready = True
        self._early_deaths = 0
        if self._has_been_ready:
            _log.info("worker replaced", extra=worker.names)
        elif sum(each.is_ready for each in self._workers.values()) == self._num_workers:
            self._has_been_ready = True
            self._callbacks.on_ready()

    def _kill_late(self) -> None:
        """Kill workers that hang, and all that have not drained in time."""
        now = time.monotonic()
        if now >= self._check_at:
            self._check_at = now + self._heartbeat_seconds
            for worker in self._workers.values():
                self._check_heartbeat(worker)
            if not any(worker.is_hung for worker in self._workers.values()):
                self._callbacks.on_beat()
        if now >= self._kill_at:
            _log.error("killed: not done in time", extra={"workers": sorted(self._workers)})
            self._kill_at = inf
            self.kill()

    def _check_heartbeat(self, worker: Worker) -> None:
        """Kill a worker that has missed too many heartbeats. Checks are counted instead of seconds, which pass for the
        workers too while the whole machine stands still."""
        if worker.missed_heartbeats is None or worker.is_hung:
            return
        worker.missed_heartbeats += 1
        if worker.missed_heartbeats > MAX_MISSED_HEARTBEATS:
            worker.is_hung = True
            _log.error("worker hangs: killed", extra=worker.names)
            worker.send(signal.SIGKILL)

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            status = worker.process.exitcode
            if status is not None:
                if worker.pipe.poll():  # it may have sent something in its last moment
                    self._receive(worker)
                worker.pipe.close()
                del self._workers[worker.number]
                self._callbacks.on_death(worker.number)
                self._on_exit(worker, status)

    def _on_exit(self, worker: Worker, status: int) -> None:
        if status or self._status is None:
            _log.warning("worker ended", extra={**worker.names, "status": status_name(status)})
        if self._status is not None:
            self._status = self._status or (1 if status else 0)
            return
        self._early_deaths += not worker.is_ready
        if not self._has_been_ready and (status == FAILED or self._early_deaths >= MOST_EARLY_DEATHS):
            _log.critical("the workers cannot start")
            self._end(1)
        else:
            self._callbacks.on_replace("hung" if worker.is_hung else "died")
            self._due[worker.number] = time.monotonic() + delay_after(self._early_deaths)


def delay_after(early_deaths: int) -> float:
    """Return the seconds before a worker is replaced, if so many in a row died before they were ready."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** (early_deaths - 1), LONGEST_DELAY_SECONDS) if early_deaths else 0.0


def status_name(status: int) -> str:  # SIGKILL, or exit 1
    return signal.Signals(-status).name if status < 0 else f"exit {status}"


def fork_worker(number: int, run_worker: RunWorker) -> Worker:
    """Start a worker process. This process must have one thread, and the log's: a fork takes along locks, held for
    ever."""
    ours, theirs = Pipe(duplex=False)
    os.set_blocking(theirs.fileno(), False)
    stop = StopSignal(on_second_signal=lambda _: None)  # the supervisor decides when it is enough, and kills
    context = WorkerContext(number=number, supervisor=os.getpid(), pipe=theirs.fileno(), stop=stop)
    process = get_context("fork").Process(target=_become_worker, args=(context, run_worker))
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # until the child has handlers of its own
    process.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    theirs.close()
    return Worker(number=number, process=process, pipe=ours)


def _become_worker(context: WorkerContext, run_worker: RunWorker) -> NoReturn:
    """Run as the worker in the child process, and exit with its status."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # blocked until its handler is installed: the parent's is not ours
    context.stop.install()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's: the supervisor passes it on
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED - {signal.SIGHUP})
    try:
        raise SystemExit(run_worker(context))
    except Exception as error:  # multiprocessing would print it, past the log
        _log.critical("worker ended: unexpected error", exc_info=error)
        raise SystemExit(FAILED) from None
    finally:
        logging.shutdown()  # which multiprocessing leaves out

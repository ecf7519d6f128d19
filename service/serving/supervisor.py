"""Supervisor: starts several worker processes on one port, replaces those that die, and stops them together."""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from service.serving.forking import FAILED, READY, RunWorker, Worker, fork_worker
from service.serving.stopping import StopSignal

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.1, 10.0  # before one that died unready is replaced; doubled each time
MOST_EARLY_DEATHS = 3  # in a row, before all were ready for the first time
KILL_AFTER_SECONDS = 5.0  # beyond the time that draining may take
_log = logging.getLogger("service")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Duties:
    """Callbacks of a supervisor."""

    on_ready: Callable[[], None]  # all workers are, for the first time
    on_death: Callable[[int], None]  # of the worker with this number
    reload: Callable[[], bool]  # at SIGHUP; whether to pass it on


class Supervisor:
    """Keeps ``num_workers`` processes running.

    They share what this process has in memory when ``run`` is called. A worker that dies is replaced: at once if it had
    been ready, else after a growing delay. SIGTERM and SIGINT are passed on as SIGTERM.
    """

    def __init__(
        self,
        work: RunWorker,
        *,
        num_workers: int,
        sockets: Sequence[socket.socket],
        stop: StopSignal,
        way_out_seconds: float,
        duties: Duties,
    ) -> None:
        self._work = work
        self._num_workers = num_workers
        self._sockets = sockets  # where the workers listen
        self._stop = stop
        self._way_out_seconds = way_out_seconds
        self._duties = duties
        self._workers: dict[int, Worker] = {}  # by number
        self._due: dict[int, float] = dict.fromkeys(range(1, num_workers + 1), 0.0)  # when missing ones are started
        self._early_deaths = 0  # in a row
        self._has_been_ready = False
        self._wants_reload = False
        self._status: int | None = None  # of this process, once it is on its way out
        self._kill_at = inf
        self._wakeup_reader, self._wakeup_writer = socket.socketpair()  # rung by signals
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Supervise until told to stop; returns 0 after all have drained, 1 if they could not start, or one did not end
        well."""
        self._heed_signals()
        while True:
            self._obey()
            if self._status is not None and not self._workers:
                return self._status
            self._start_missing()
            self._wait()
            self._reap()

    def kill(self) -> None:
        """Kill all workers at once."""
        for worker in list(self._workers.values()):
            worker.send(signal.SIGKILL)

    def _heed_signals(self) -> None:
        for end in (self._wakeup_reader, self._wakeup_writer):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wakeup_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # it rings
        signal.signal(signal.SIGHUP, self._on_hangup)
        self._selector.register(self._wakeup_reader, selectors.EVENT_READ)

    def _on_hangup(self, *_: object) -> None:
        self._wants_reload = True

    def _obey(self) -> None:
        """Do what signals and the clock ask for."""
        if self._stop.is_told and self._status is None:
            self._end(0)
        if self._wants_reload and self._status is None:
            self._wants_reload = False
            if self._duties.reload():
                self._pass_on(signal.SIGHUP)
        if time.monotonic() >= self._kill_at:
            _log.error("killed: not done in time", extra={"workers": sorted(self._workers)})
            self._kill_at = inf
            self.kill()

    def _end(self, status: int) -> None:
        """Tell the workers to stop. The listening sockets are closed here first: workers close them one after the
        other, and nobody would answer on this one."""
        self._status = status
        self._kill_at = time.monotonic() + self._way_out_seconds + KILL_AFTER_SECONDS
        for each in self._sockets:
            each.close()
        self._pass_on(signal.SIGTERM)

    def _pass_on(self, signum: signal.Signals) -> None:
        for worker in self._workers.values():
            worker.send(signum)

    def _start_missing(self) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now and self._status is None]:
            del self._due[number]
            foreign_sockets = [
                self._wakeup_reader,
                self._wakeup_writer,
                *(worker.pipe for worker in self._workers.values()),
            ]
            worker = fork_worker(number, self._work, foreign_sockets=foreign_sockets)
            self._workers[number] = worker
            self._selector.register(worker.pipe, selectors.EVENT_READ, worker)

    def _wait(self) -> None:
        """Wait until there is something to do."""
        due = self._due.values() if self._status is None else ()
        moment = min([self._kill_at, *due])
        seconds = None if moment == inf else max(0.0, moment - time.monotonic())
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._wakeup_reader.recv(4096)
            else:
                self._hear(key.data)

    def _hear(self, worker: Worker) -> None:
        if worker.pipe.recv(len(READY)) != READY:
            self._selector.unregister(worker.pipe)  # it dies: its status will be here in a moment
            return
        worker.is_ready = True
        self._early_deaths = 0
        if self._has_been_ready:
            _log.info("worker replaced", extra={"number": worker.number, "pid": worker.pid})
        if not self._has_been_ready and sum(each.is_ready for each in self._workers.values()) == self._num_workers:
            self._has_been_ready = True
            self._duties.on_ready()

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            status = worker.exit_code()
            if status is not None:
                self._forget(worker)
                self._on_exit(worker, status)

    def _forget(self, worker: Worker) -> None:
        while worker.pipe in self._selector.get_map():  # it may have said something in its last moment
            self._hear(worker)
        worker.pipe.close()
        del self._workers[worker.number]
        self._duties.on_death(worker.number)

    def _on_exit(self, worker: Worker, status: int) -> None:
        if status or self._status is None:
            ended = {"number": worker.number, "pid": worker.pid, "status": status_name(status)}
            _log.warning("worker ended", extra=ended)
        if self._status is not None:
            self._status = self._status or (1 if status else 0)
            return
        self._early_deaths += not worker.is_ready
        if not self._has_been_ready and (status == FAILED or self._early_deaths >= MOST_EARLY_DEATHS):
            _log.critical("the workers cannot start")
            self._end(1)
        else:
            self._due[worker.number] = time.monotonic() + delay_after(self._early_deaths)


def delay_after(early_deaths: int) -> float:
    """Return the seconds before a worker is replaced, if so many in a row died before they were ready."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** (early_deaths - 1), LONGEST_DELAY_SECONDS) if early_deaths else 0.0


def status_name(status: int) -> str:
    """Name an exit status: ``SIGKILL``, or ``exit 1``."""
    return signal.Signals(-status).name if status < 0 else f"exit {status}"

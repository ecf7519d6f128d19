"""A worker process: forked, so that it shares the memory of the process that has loaded the models."""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from service.serving.stopping import Stop

HANDLED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})
READY = b"r"  # what a worker says of itself, once
FAILED = 1  # what a worker ends with that knows it cannot start
_log = logging.getLogger("service")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seat:
    """What a worker is given: its number, from 1 on, the line to its supervisor, and how it is told to stop.

    The line closes when the supervisor dies.
    """

    number: int
    supervisor: int  # its process id
    line: socket.socket
    stop: Stop

    @property
    def is_orphan(self) -> bool:
        """Whether the supervisor has died. The line knows before the system names another parent."""
        try:
            return not self.line.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False

    def say_ready(self) -> None:
        with suppress(OSError):  # nobody is left to hear it
            self.line.send(READY)


Work = Callable[[Seat], int]  # the exit status


@dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """A worker as its supervisor sees it."""

    number: int
    pid: int
    line: socket.socket  # nothing comes from it before it is ready, and its end when it dies
    is_ready: bool = False

    def send(self, signum: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signum)

    def exit_code(self) -> int | None:
        """Negative if a signal ended it; none if nothing has."""
        pid, waited = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(waited) if pid else None


def fork_worker(number: int, work: Work, *, strange: Iterable[socket.socket]) -> Worker:
    """Put a new process to work. ``strange`` are sockets of its parent that it must not hold: a copy of another
    worker's line would hide from that one that the supervisor has died.

    The process must have one thread: of all others a fork takes along the locks, held for ever.
    """
    ours, theirs = socket.socketpair()
    supervisor = os.getpid()
    flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # until the child has handlers of its own
    pid = os.fork()
    if pid == 0:
        stop = Stop(again=lambda _: None)  # the supervisor decides when it is enough, and kills
        seat = Seat(number=number, supervisor=supervisor, line=theirs, stop=stop)
        _become(seat, work, strange=(ours, *strange))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    theirs.close()
    return Worker(number=number, pid=pid, line=ours)


def num_threads() -> int:
    """Of this process; 1 where nobody can tell."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 1


def share_memory() -> None:
    """What there is stays: no collection looks at it again, which would copy its pages into every worker."""
    gc.collect()
    gc.freeze()


def flush() -> None:
    """What is written but not out yet a fork would write twice, and a bare exit not at all."""
    sys.stdout.flush()
    sys.stderr.flush()


def _become(seat: Seat, work: Work, *, strange: Iterable[socket.socket]) -> NoReturn:
    """In the child: never to return to what the parent was doing."""
    status = FAILED
    try:
        for each in strange:
            each.close()
        _take_over_signals(seat.stop)
        random.seed()
        status = work(seat)
    except BaseException as error:  # whatever it is, it must not unwind the parent's stack
        _log.critical("worker ended: unexpected error", exc_info=error)
    finally:
        flush()
        os._exit(status)


def _take_over_signals(stop: Stop) -> None:
    """A terminal sends SIGINT to everybody: the supervisor passes it on. SIGHUP is held back for whoever heeds it."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the parent's handler is nothing for us
    stop.heed()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED - {signal.SIGHUP})

"""Forks worker processes, which share the memory of the process that has loaded the models."""

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

from service.serving.stopping import StopSignal

HANDLED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})
READY = b"r"  # a worker sends it once
FAILED = 1  # exit status of a worker that cannot start
_log = logging.getLogger("service")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkerContext:
    """Values that a worker gets from its supervisor: its number, from 1 on, a pipe to the supervisor, and its stop
    signal.

    The pipe closes when the supervisor dies.
    """

    number: int
    supervisor: int  # its process id
    pipe: socket.socket
    stop: StopSignal

    @property
    def is_orphan(self) -> bool:
        """Whether the supervisor has died. The pipe closes before the system names another parent."""
        try:
            return not self.pipe.recv(1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False

    def say_ready(self) -> None:
        with suppress(OSError):  # nobody is left to hear it
            self.pipe.send(READY)


RunWorker = Callable[[WorkerContext], int]  # the exit status


@dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """A worker process as its supervisor sees it."""

    number: int
    pid: int
    pipe: socket.socket  # nothing comes from it before it is ready, and its end when it dies
    is_ready: bool = False

    def send(self, signum: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signum)

    def exit_code(self) -> int | None:
        """Return the exit code, negative if a signal ended the process; None while it runs."""
        pid, waited = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(waited) if pid else None


def fork_worker(number: int, work: RunWorker, *, foreign_sockets: Iterable[socket.socket]) -> Worker:
    """Start a worker process. ``foreign_sockets`` are sockets of its parent that it must close.

    A copy of another worker's pipe would hide from that worker that the supervisor has died. The process must have one
    thread: a fork takes along the locks of all others, held for ever.
    """
    ours, theirs = socket.socketpair()
    supervisor = os.getpid()
    flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # until the child has handlers of its own
    pid = os.fork()
    if pid == 0:
        stop = StopSignal(again=lambda _: None)  # the supervisor decides when it is enough, and kills
        context = WorkerContext(number=number, supervisor=supervisor, pipe=theirs, stop=stop)
        _become(context, work, foreign_sockets=(ours, *foreign_sockets))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    theirs.close()
    return Worker(number=number, pid=pid, pipe=ours)


def num_threads() -> int:
    """Return the number of threads of this process; 1 where the system does not tell."""
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 1


def share_memory() -> None:
    """Freeze all objects out of the garbage collector, whose collections would copy their pages into every worker."""
    gc.collect()
    gc.freeze()


def flush() -> None:
    """Flush the standard streams: a fork would write their buffers twice, and a bare exit not at all."""
    sys.stdout.flush()
    sys.stderr.flush()


def _become(context: WorkerContext, work: RunWorker, *, foreign_sockets: Iterable[socket.socket]) -> NoReturn:
    """Run as the worker in the child process, and exit without returning to the parent's code."""
    status = FAILED
    try:
        for each in foreign_sockets:
            each.close()
        _take_over_signals(context.stop)
        random.seed()
        status = work(context)
    except BaseException as error:  # whatever it is, it must not unwind the parent's stack
        _log.critical("worker ended: unexpected error", exc_info=error)
    finally:
        flush()
        os._exit(status)


def _take_over_signals(stop: StopSignal) -> None:
    """Replace the parent's signal handlers. The supervisor passes on a terminal's SIGINT; SIGHUP stays blocked until
    its handler is installed."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the parent's handler is nothing for us
    stop.heed()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED - {signal.SIGHUP})

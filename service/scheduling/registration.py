"""Registration of a model's scheduler with the thread pool and the gauges, until it is closed and all jobs are
answered."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Registration(ABC):
    """Base class of schedulers, which are registered with the thread pool and the gauges while they are open or have
    jobs.

    A request that found the model before it was closed may still bring a job: then the scheduler is registered again
    for as long. Once it is unregistered nothing but such requests holds it, or the model it runs. All methods belong to
    the event loop's thread.
    """

    def __init__(self) -> None:
        self._num_open = 0
        self._is_closed = False
        self._is_registered = False

    def close(self) -> None:
        """Close the scheduler: the model is served no longer."""
        self._is_closed = True
        self._unregister_if_done()

    def _job_started(self) -> None:
        """Count a job, before any row of it is queued."""
        self._num_open += 1
        self._register()

    def _job_ended(self) -> None:
        """Count off a job that was answered, failed or withdrawn: none of its rows waits."""
        self._num_open -= 1
        self._unregister_if_done()

    def _register(self) -> None:
        if not self._is_registered:
            self._is_registered = True
            self._on_register()

    def _unregister_if_done(self) -> None:
        if self._is_closed and self._is_registered and not self._num_open:
            self._is_registered = False
            self._on_unregister()

    @abstractmethod
    def _on_register(self) -> None:
        """Join the thread pool and the gauges."""

    @abstractmethod
    def _on_unregister(self) -> None:
        """Leave the thread pool and the gauges without leaving a cycle of references: objects from the start of the
        service are frozen out of the garbage collector."""


def no_run(*_: object) -> None:
    """Stands for the work of a source that is not registered; it is never called."""

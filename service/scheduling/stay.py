"""How long a model's scheduler has a place among the slots: until it is closed and its last request is answered."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Stay(ABC):
    """A scheduler is in the slots' list and in the gauges from its making until it is closed and no job is open. A
    request that found the model before that may still bring a job: then the scheduler is back for as long.

    Once it has left nothing but such requests holds it, or the model it runs. All methods belong to the event loop's
    thread.
    """

    def __init__(self) -> None:
        self._num_open = 0
        self._is_closed = False
        self._is_in = False

    def close(self) -> None:
        """The model is served no longer."""
        self._is_closed = True
        self._leave_if_done()

    def _job_came(self) -> None:
        """Before any row of it is queued."""
        self._num_open += 1
        self._come()

    def _job_went(self) -> None:
        """Answered, failed or withdrawn: none of its rows waits."""
        self._num_open -= 1
        self._leave_if_done()

    def _come(self) -> None:
        if not self._is_in:
            self._is_in = True
            self._enter()

    def _leave_if_done(self) -> None:
        if self._is_closed and self._is_in and not self._num_open:
            self._is_in = False
            self._leave()

    @abstractmethod
    def _enter(self) -> None:
        """Join slots and gauges."""

    @abstractmethod
    def _leave(self) -> None:
        """Part from them, and leave no cycle of references behind: what was there when the service started has been
        put out of the garbage collector's sight."""


def no_work(*_: object) -> None:
    """What a line does that is in no slots' list: it is never called."""

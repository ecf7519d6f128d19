"""Admission control: whether a request is queued or refused, by queue limits and deadlines."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from service.errors import DeadlineExceededError, OverloadedError

LONGEST_RETRY_SECONDS = 60  # no prediction reaches further


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionControl:
    """Refuses at arrival the requests that would be answered too late, whether they hold one text or many.

    An idle service accepts all that it could answer in time at its best, whatever was predicted: a speed that was
    learned in a bad moment corrects itself. While other requests wait, one may take half of the room that is left in
    its queue, so that a few huge ones never fill it; where nothing waits any request is accepted.
    """

    max_queued_cells: int

    def check(
        self,
        *,
        queued_cells: int,
        own_cells: int,
        seconds: float,
        best_seconds: float,
        is_idle: bool,
        seconds_left: float,
        accepted: bool = False,
    ) -> None:
        """Raise DeadlineExceededError or OverloadedError if a request is to be refused.

        ``queued_cells`` wait in the same queue, ``seconds`` is the predicted time until the answer, ``best_seconds``
        the same if the request had the service to itself, at the best speed there ever was. The service ``is_idle`` if
        nothing waits and a thread is free. Rows of a request that was ``accepted`` before find room in any queue.
        """
        if seconds_left <= 0:
            raise DeadlineExceededError("the deadline passed before the work could be queued")
        if queued_cells and own_cells > self._room(queued_cells) and not accepted:
            raise OverloadedError(
                f"{queued_cells} tokens are waiting and the limit is {self.max_queued_cells}: there is no room "
                f"for {own_cells} more",
                retry_after_seconds=_retry_seconds(seconds),
            )
        if is_idle and best_seconds > seconds_left:
            raise OverloadedError(
                f"nothing waits, but this takes {1000 * best_seconds:.0f} ms at best, and "
                f"{1000 * seconds_left:.0f} ms are left: give it more time or send less at once",
                retry_after_seconds=_retry_seconds(seconds - seconds_left),
            )
        if not is_idle and seconds > seconds_left:
            raise OverloadedError(
                f"{queued_cells} tokens are waiting; this would take about {1000 * seconds:.0f} ms, and "
                f"{1000 * seconds_left:.0f} ms are left",
                retry_after_seconds=_retry_seconds(seconds - seconds_left),
            )

    def _room(self, queued_cells: int) -> int:
        """Return the cells that one request may take. The last cells go to requests of one cell each, so that a full
        queue is really full."""
        left = self.max_queued_cells - queued_cells
        return max(left // 2, min(left, 1))


def _retry_seconds(excess: float) -> int:
    """Return the whole seconds in which so much work will have been done."""
    return min(LONGEST_RETRY_SECONDS, max(1, ceil(excess)))

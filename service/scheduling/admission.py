"""Admission control: whether a request is queued or refused, by queue limits and deadlines."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from service.errors import DeadlineExceededError, OverloadedError

LONGEST_RETRY_SECONDS = 60  # no prediction reaches further


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Predictions for a request that is about to be queued."""

    queued_cells: int  # in the same queue
    own_cells: int
    seconds: float  # until it is answered, as predicted
    best_seconds: float  # the same if it had the service to itself, at the best speed there ever was
    is_idle: bool  # nothing waits, and a thread is free


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionControl:
    """Refuses at arrival the requests that would be answered too late, whether they hold one text or many.

    An idle service accepts all that it could answer in time at its best, whatever was predicted: a speed that was
    learned in a bad moment corrects itself. While other requests wait, one may take half of the room that is left in
    its queue, so that a few huge ones never fill it; where nothing waits any request is accepted.
    """

    max_queued_cells: int

    def check(self, outlook: Outlook, *, deadline: float, now: float) -> None:
        """Raise DeadlineExceededError or OverloadedError if the request is to be refused."""
        left = deadline - now
        if left <= 0:
            raise DeadlineExceededError("the deadline passed before the work could be queued")
        if outlook.queued_cells and outlook.own_cells > self._room(outlook):
            raise OverloadedError(
                f"{outlook.queued_cells} tokens are waiting and the limit is {self.max_queued_cells}: there is no room "
                f"for {outlook.own_cells} more",
                retry_after_seconds=_retry_seconds(outlook.seconds),
            )
        if (outlook.best_seconds if outlook.is_idle else outlook.seconds) > left:
            raise OverloadedError(_too_late(outlook, left), retry_after_seconds=_retry_seconds(outlook.seconds - left))

    def _room(self, outlook: Outlook) -> int:
        """Return the cells that one request may take. The last cells go to requests of one cell each, so that a full
        queue is really full."""
        left = self.max_queued_cells - outlook.queued_cells
        return max(left // 2, min(left, 1))


def _too_late(outlook: Outlook, left: float) -> str:
    if outlook.is_idle:
        return (
            f"nothing waits, but this takes {1000 * outlook.best_seconds:.0f} ms at best, and {1000 * left:.0f} ms are "
            "left: give it more time or send less at once"
        )
    return (
        f"{outlook.queued_cells} tokens are waiting; this would take about {1000 * outlook.seconds:.0f} ms, and "
        f"{1000 * left:.0f} ms are left"
    )


def _retry_seconds(excess: float) -> int:
    """Return the whole seconds in which so much work will have been done."""
    return min(LONGEST_RETRY_SECONDS, max(1, ceil(excess)))

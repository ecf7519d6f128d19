"""Rate limits: a bucket of items per caller that fills at a steady rate, kept as one number (GCRA).

The generic cell rate algorithm (ITU-T I.371, 1996) keeps the moment at which a bucket will be full again. Items move it
into the future; as long as it is no further off than a whole bucket takes to fill, they are let through.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor

from service.errors import FieldError, InvalidRequestError, RateLimitedError

MAX_CALLERS = 10_000  # whose buckets are remembered; the longest unseen is forgotten first, and is full again then
_ROUNDING = 1e-9  # of an item: sums of floating-point times


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A steady rate, and how much may come at once after a pause."""

    items_per_second: float
    burst: int

    @property
    def seconds_per_item(self) -> float:
        return 1 / self.items_per_second

    @property
    def seconds_to_fill(self) -> float:
        """Seconds until an empty bucket is full."""
        return self.burst / self.items_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Rules by which an operator's numbers become the allowance of one process."""

    workers: int = 1
    least_burst: int = 1  # where none is written: a legal request must be able to pass

    def allowance(self, items_per_second: float, burst: int | None) -> Allowance:
        """Return one process's share of the rate. The burst is not divided: a request is counted in one process."""
        usual = max(ceil(items_per_second), self.least_burst)
        return Allowance(items_per_second=items_per_second / self.workers, burst=burst or usual)


@dataclass(frozen=True, slots=True)
class Standing:
    """State of a caller's bucket, in the words of draft-ietf-httpapi-ratelimit-headers-10."""

    allowance: Allowance
    fill_seconds: float  # until the bucket is full again

    @property
    def remaining(self) -> int:
        return max(0, floor(self.allowance.burst - self.fill_seconds * self.allowance.items_per_second + _ROUNDING))

    def headers(self) -> dict[str, str]:
        return {
            "ratelimit-policy": f'"items";q={self.allowance.burst};w={ceil(self.allowance.seconds_to_fill)}',
            "ratelimit": f'"items";r={self.remaining};t={ceil(self.fill_seconds)}',
        }


class RateLimiter:
    """Buckets of all callers in this process."""

    def __init__(self, *, max_callers: int = MAX_CALLERS, clock: Callable[[], float] = time.monotonic) -> None:
        self._full_at: OrderedDict[str, float] = OrderedDict()  # of buckets that are not full
        self._max_callers = max_callers
        self._clock = clock

    def standing(self, bucket: str, allowance: Allowance) -> Standing:
        return Standing(allowance, max(0.0, self._full_at.get(bucket, 0.0) - self._clock()))

    def check(self, bucket: str, allowance: Allowance) -> None:
        """Raise RateLimitedError if not even one item would be let through."""
        _check_wait(self.standing(bucket, allowance), 1)

    def take(self, bucket: str, allowance: Allowance, items: int) -> Standing:
        """Count these items, all or none. Raises RateLimitedError if they must wait, InvalidRequestError if they can
        never pass at once."""
        if items > allowance.burst:
            raise _never(items, allowance)
        now = self._clock()
        before = Standing(allowance, max(0.0, self._full_at.get(bucket, 0.0) - now))
        _check_wait(before, items)
        after = Standing(allowance, before.fill_seconds + items * allowance.seconds_per_item)
        self._full_at[bucket] = now + after.fill_seconds
        self._full_at.move_to_end(bucket)
        if len(self._full_at) > self._max_callers:
            self._full_at.popitem(last=False)
        return after

    def __len__(self) -> int:
        return len(self._full_at)


def _check_wait(standing: Standing, items: int) -> None:
    allowance = standing.allowance
    too_early = standing.fill_seconds + (items - _ROUNDING) * allowance.seconds_per_item - allowance.seconds_to_fill
    if too_early > 0:
        error = RateLimitedError(
            f"{items} more would be over {allowance.items_per_second:g} items a second "
            f"and {allowance.burst} at once; {standing.remaining} are left now",
            retry_after_seconds=too_early,
        )
        error.headers = standing.headers()
        raise error


def _never(items: int, allowance: Allowance) -> InvalidRequestError:
    message = f"holds {items} items; the rate limit never lets more than {allowance.burst} through at once"
    return InvalidRequestError(f"the request {message}", errors=[FieldError(path="", message=message)])

"""Access policy: every request is checked for an API key and for a rate limit before its body is read.

A rate limit is a bucket of items per caller that fills at a steady rate. The generic cell rate algorithm (GCRA, ITU-T
I.371, 1996) keeps one number for it, the moment at which the bucket will be full again. Items move it into the future;
as long as it is no further off than a whole bucket takes to fill, they are let through.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, floor
from typing import Any, Self

from litestar import Request

from service.api.context import RequestContext, context_of
from service.errors import InvalidRequestError, RateLimitedError, UnauthorizedError
from service.keys import ApiKey, ApiKeys
from service.settings import Settings

OPEN: Mapping[str, bool] = {"open": True}  # a route's ``opt``: needs no key
KEY_IN_BODY: Mapping[str, bool] = {"open": True}  # its handler asks for one, with ``identify``
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
        """Count items, all or none. Raises RateLimitedError, or InvalidRequestError if they never pass at once."""
        if items > allowance.burst:
            most = allowance.burst
            message = f"the request holds {items} items; the rate limit never lets more than {most} through at once"
            raise InvalidRequestError.at("", message)
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AccessPolicy:
    """Checks a request's key and rate limit before anything reads the body; Litestar calls it before a handler."""

    keys: ApiKeys | None  # none where nobody needs one
    settings: Settings
    limiter: RateLimiter = field(default_factory=RateLimiter)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the policy that the settings describe. Raises SettingsError if the key file is bad."""
        keys = None if settings.api_keys_file is None else ApiKeys(settings.api_keys_file)
        return cls(keys=keys, settings=settings)

    async def __call__(self, request: Request[Any, Any, Any]) -> None:
        """Let a request pass. Raises UnauthorizedError or RateLimitedError."""
        method = request.scope["method"]
        self.check(context_of(request), method, is_open=method == "OPTIONS" or "open" in request.route_handler.opt)

    def check(self, context: RequestContext, method: str, *, is_open: bool = False) -> None:
        """Let a request pass. Raises UnauthorizedError or RateLimitedError."""
        if self.keys is not None and context.caller.key is None and not is_open:
            raise _unauthorized(context)
        if method == "POST" and (allowance := self.allowance(context.caller.key)) is not None:
            self.limiter.check(context.caller.bucket, allowance)

    def identify(self, context: RequestContext, key: str | None) -> None:
        """Take a caller without a known key in the headers for the one of the body's key. Raises UnauthorizedError."""
        if self.keys is None or context.caller.key is not None:
            return
        found = self.keys.find(key.encode()) if key is not None else None
        if found is None:
            raise _unauthorized(context)
        context.caller = replace(context.caller, key=found)

    def take(self, context: RequestContext, items: int) -> None:
        """Count a request's items against its caller. Raises what ``RateLimiter.take`` does."""
        if (allowance := self.allowance(context.caller.key)) is not None:
            standing = self.limiter.take(context.caller.bucket, allowance, items)
            context.more_headers = [(name.encode(), value.encode()) for name, value in standing.headers().items()]

    def reread_keys(self) -> Callable[[], None]:
        """Read the key file again and return a function that puts its keys in force. Raises SettingsError."""
        return (lambda: None) if self.keys is None else self.keys.reread()

    def allowance(self, key: ApiKey | None) -> Allowance | None:
        """Return what this process lets through of a caller with this key, if there is a limit. The burst is not
        divided among processes: a request is counted in one."""
        rate, burst = self.settings.rate_limit_items, self.settings.rate_limit_burst
        if key is not None and key.items_per_second is not None:
            rate, burst = key.items_per_second, key.burst
        if rate is None:
            return None
        # Where no burst is written, a legal request must be able to pass.
        least = max(ceil(rate), self.settings.max_items)
        return Allowance(items_per_second=rate / self.settings.workers, burst=burst or least)

    @property
    def is_needed(self) -> bool:
        return self.keys is not None or self.settings.rate_limit_items is not None


def _unauthorized(context: RequestContext) -> UnauthorizedError:
    sent = {b"authorization", b"x-api-key"} & context.headers.keys()
    what = "the key is not one that is let in" if sent else "this needs a key"
    return UnauthorizedError(f"{what}; send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`")

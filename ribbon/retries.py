"""Retries: which failures are worth another try, and how long to wait before it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ribbon.errors import RibbonError, ServiceError, UnreachableError

RETRIED_STATUSES = frozenset({429, 502, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Number of retries and the waits before them.

    The wait doubles with each retry and is drawn between its half and itself, so that callers who failed together do
    not come back together. It is never shorter than ``Retry-After``.
    """

    max_retries: int = 3
    base_seconds: float = 0.25  # before the first retry
    max_seconds: float = 8.0  # of a wait that no header asks for
    max_retry_after_seconds: float = 60.0  # a service that asks for more is not waited for

    def wait_before(self, retry: int, error: RibbonError) -> float | None:
        """Return the seconds to wait before a retry, counted from 1; None if there is to be none."""
        if retry > self.max_retries or not is_worth_it(error):
            return None
        asked = (error.retry_after_seconds if isinstance(error, ServiceError) else None) or 0.0
        if asked > self.max_retry_after_seconds:
            return None
        own = min(self.max_seconds, self.base_seconds * 2 ** (retry - 1))
        return asked + random.uniform(own / 2, own)  # noqa: S311  # no secret hangs on it


def is_worth_it(error: RibbonError) -> bool:
    """Whether the same request may succeed later. Every request of this API may be sent twice: none changes
    anything."""
    return isinstance(error, UnreachableError) or (isinstance(error, ServiceError) and error.status in RETRIED_STATUSES)


def seconds_of(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After header names, as a number or a date; None if it names none."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (until - datetime.now(UTC)).total_seconds()) if until.tzinfo else None

"""Access policy: every request is checked for an API key and for a rate limit before its body is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from litestar import Request

from service.api.context import RequestContext, context_of
from service.api.rate_limit import Allowance, RateLimiter, Terms
from service.api_keys import ApiKey, ApiKeys
from service.errors import UnauthorizedError
from service.settings import Settings

OPEN: Mapping[str, bool] = {"open": True}  # a route's ``opt``: needs no key
KEY_IN_BODY: Mapping[str, bool] = {"open": True}  # its handler asks for one, with ``identify``


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AccessPolicy:
    """Checks a request's key and rate limit; Litestar calls it before the handler, so before anything reads the
    body."""

    terms: Terms
    keys: ApiKeys | None = None
    usual: Allowance | None = None  # of callers whose key has none of its own
    limiter: RateLimiter = field(default_factory=RateLimiter)

    async def __call__(self, request: Request[Any, Any, Any]) -> None:
        """Let a request pass. Raises UnauthorizedError or RateLimitedError."""
        method, context = request.scope["method"], context_of(request)
        is_open = method == "OPTIONS" or "open" in request.route_handler.opt
        if self.keys is not None and context.caller.key is None and not is_open:
            raise _unauthorized(request)
        if method == "POST" and (allowance := self._allowance(context.caller.key)) is not None:
            self.limiter.check(context.caller.bucket, allowance)

    def identify(self, request: Request[Any, Any, Any], key: str | None) -> None:
        """Take a caller without a known key in the headers for the one whose key came in the body. Raises
        UnauthorizedError."""
        context = context_of(request)
        if self.keys is None or context.caller.key is not None:
            return
        found = self.keys.find(key.encode()) if key is not None else None
        if found is None:
            raise _unauthorized(request)
        context.caller = replace(context.caller, key=found)

    def take(self, context: RequestContext, items: int) -> None:
        """Count a request's items against its caller. Raises RateLimitedError, or InvalidRequestError if so many can
        never pass at once."""
        if (allowance := self._allowance(context.caller.key)) is not None:
            standing = self.limiter.take(context.caller.bucket, allowance, items)
            context.more_headers = [(name.encode(), value.encode()) for name, value in standing.headers().items()]

    def reread_keys(self) -> Callable[[], None]:
        """Read the key file again and return a function that puts the new keys in force. Raises SettingsError if the
        file is bad."""
        return _nothing if self.keys is None else self.keys.reread()

    @property
    def is_needed(self) -> bool:
        return self.keys is not None or self.usual is not None

    def _allowance(self, key: ApiKey | None) -> Allowance | None:
        if key is None or key.items_per_second is None:
            return self.usual
        return self.terms.allowance(key.items_per_second, key.burst)


def _nothing() -> None:
    """Stands for the new keys where no key file is configured."""


def build_access_policy(settings: Settings) -> AccessPolicy:
    """Build the policy that the settings describe. Raises SettingsError if the key file is bad."""
    terms = Terms(workers=settings.workers, least_burst=settings.max_items)
    items, file = settings.rate_limit_items, settings.api_keys_file
    return AccessPolicy(
        terms=terms,
        keys=None if file is None else ApiKeys(file),
        usual=None if items is None else terms.allowance(items, settings.rate_limit_burst),
    )


def _unauthorized(request: Request[Any, Any, Any]) -> UnauthorizedError:
    sent = {"authorization", "x-api-key"} & request.headers.keys()
    what = "the key is not one that is let in" if sent else "this needs a key"
    return UnauthorizedError(f"{what}; send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`")

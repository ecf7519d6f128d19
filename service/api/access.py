"""Access policy: every request is checked for an API key and for a rate limit before its body is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Request

from service.api.callers import Callers
from service.api.context import RequestContext, context_of
from service.api.keys import ApiKeys
from service.api.rates import Allowance, Rates, Terms
from service.errors import UnauthorizedError
from service.settings import Settings

OPEN: Mapping[str, bool] = {"open": True}  # a route's ``opt``: needs no key


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AccessPolicy:
    """Checks a request's key and rate limit; Litestar calls it before the handler, so before anything reads the
    body."""

    keys: ApiKeys | None
    usual: Allowance | None
    rates: Rates

    async def __call__(self, request: Request[Any, Any, Any]) -> None:
        """Let a request pass. Raises UnauthorizedError or RateLimitedError."""
        method, context = request.scope["method"], context_of(request)
        if self.keys is not None and context.caller.key is None and not self._is_open(request, method):
            raise _unauthorized(request)
        if method == "POST" and (allowance := self._allowance(context)) is not None:
            self.rates.check(context.caller.bucket, allowance)

    def take(self, context: RequestContext, items: int) -> None:
        """Count a request's items against its caller. Raises RateLimitedError, or InvalidRequestError if so many can
        never pass at once."""
        if (allowance := self._allowance(context)) is not None:
            standing = self.rates.take(context.caller.bucket, allowance, items)
            context.more_headers = [(name.encode(), value.encode()) for name, value in standing.headers().items()]

    def reread_keys(self) -> Callable[[], None]:
        """Read the key file again and return a function that puts the new keys in force. Raises SettingsError if the
        file is bad."""
        return _nothing if self.keys is None else self.keys.reread()

    def callers(self, settings: Settings) -> Callers:
        return Callers(trusted=settings.trusted_proxies or (), keys=self.keys)

    @property
    def is_needed(self) -> bool:
        return self.keys is not None or self.usual is not None

    def _is_open(self, request: Request[Any, Any, Any], method: str) -> bool:
        return method == "OPTIONS" or "open" in request.route_handler.opt

    def _allowance(self, context: RequestContext) -> Allowance | None:
        key = context.caller.key
        return (key.allowance if key else None) or self.usual


def _nothing() -> None:
    """Stands for the new keys where no key file is configured."""


def build_access_policy(settings: Settings) -> AccessPolicy:
    """Build the policy that the settings describe. Raises SettingsError if the key file is bad."""
    terms = Terms(workers=settings.workers, least_burst=settings.max_items)
    items, burst, file = settings.rate_limit_items, settings.rate_limit_burst, settings.api_keys_file
    return AccessPolicy(
        keys=None if file is None else ApiKeys(file, terms=terms),
        usual=None if items is None else terms.allowance(items, burst),
        rates=Rates(),
    )


def _unauthorized(request: Request[Any, Any, Any]) -> UnauthorizedError:
    sent = {"authorization", "x-api-key"} & request.headers.keys()
    what = "the key is not one that is let in" if sent else "this needs a key"
    return UnauthorizedError(f"{what}; send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`")

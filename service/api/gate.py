"""What every request passes before its body is read: is there a key, and is there any item left for this caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Request

from service.api.callers import Callers
from service.api.exchange import Exchange, exchange_of
from service.api.keys import ApiKeys
from service.api.rates import Allowance, Rates, Terms
from service.errors import UnauthorizedError
from service.settings import Settings

OPEN: Mapping[str, bool] = {"open": True}  # a route's ``opt``: needs no key


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gate:
    """Litestar calls it before a handler, and so before anything reads the body."""

    keys: ApiKeys | None
    usual: Allowance | None
    rates: Rates

    async def __call__(self, request: Request[Any, Any, Any]) -> None:
        """Raises UnauthorizedError or RateLimitedError."""
        method, exchange = request.scope["method"], exchange_of(request)
        if self.keys is not None and exchange.caller.key is None and not self._is_open(request, method):
            raise _unauthorized(request)
        if method == "POST" and (allowance := self._allowance(exchange)) is not None:
            self.rates.check(exchange.caller.bucket, allowance)

    def take(self, exchange: Exchange, items: int) -> None:
        """Count them against the caller. Raises RateLimitedError, or InvalidRequestError if they can never pass."""
        if (allowance := self._allowance(exchange)) is not None:
            standing = self.rates.take(exchange.caller.bucket, allowance, items)
            exchange.more_headers = [(name.encode(), value.encode()) for name, value in standing.headers().items()]

    def reread_keys(self) -> Callable[[], None]:
        """Read the file of keys again; what is returned puts it in force. Raises SettingsError if the file is bad."""
        return _nothing if self.keys is None else self.keys.reread()

    def callers(self, settings: Settings) -> Callers:
        return Callers(trusted=settings.trusted_proxies or (), keys=self.keys)

    @property
    def is_needed(self) -> bool:
        return self.keys is not None or self.usual is not None

    def _is_open(self, request: Request[Any, Any, Any], method: str) -> bool:
        return method == "OPTIONS" or "open" in request.route_handler.opt

    def _allowance(self, exchange: Exchange) -> Allowance | None:
        key = exchange.caller.key
        return (key.allowance if key else None) or self.usual


def _nothing() -> None:
    """There is no file."""


def build_gate(settings: Settings) -> Gate:
    """Raises SettingsError."""
    terms = Terms(workers=settings.workers, least_burst=settings.max_items)
    items, burst, file = settings.rate_limit_items, settings.rate_limit_burst, settings.api_keys_file
    return Gate(
        keys=None if file is None else ApiKeys(file, terms=terms),
        usual=None if items is None else terms.allowance(items, burst),
        rates=Rates(),
    )


def _unauthorized(request: Request[Any, Any, Any]) -> UnauthorizedError:
    sent = {"authorization", "x-api-key"} & request.headers.keys()
    what = "the key is not one that is let in" if sent else "this needs a key"
    return UnauthorizedError(f"{what}; send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`")

"""Identifies callers: by the address, behind trusted proxies too, and by the key that was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from service.api.keys import ApiKey, ApiKeys, presented_key

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
HOUSEHOLD = 64  # bits of an IPv6 address: the rest is the caller's to choose
MAX_HOPS = 32  # looked at, from the nearest one
MAX_ADDRESS_LENGTH = 64  # in a header, a zone's name included
_REMEMBERED = 4096
_HOUSEHOLD_MASK = (1 << 128) - (1 << (128 - HOUSEHOLD))


@dataclass(frozen=True, slots=True)
class Caller:
    """A request's sender. ``address`` is None on a unix socket; ``key`` is None if no key or a wrong one was sent, or
    none is asked for."""

    address: str | None
    key: ApiKey | None = None

    @property
    def bucket(self) -> str:
        """Name the rate-limit bucket: one per key, IPv4 address or IPv6 /64 network."""
        return f"key {self.key.name}" if self.key else household_of(self.address or "")


NOBODY = Caller(None)


class Callers:
    """Finds a request's caller from its connection and headers."""

    def __init__(self, *, trusted: Sequence[Network] = (), keys: ApiKeys | None = None) -> None:
        self._trusted = tuple(trusted)
        self._keys = keys
        self._is_proxy = lru_cache(_REMEMBERED)(self._is_trusted)

    def of(self, scope: Any) -> Caller:
        """Return the caller of an ASGI scope. Never raises, whatever the headers hold."""
        headers = scope["headers"]
        return Caller(self._address(scope.get("client"), headers), self._key(headers))

    def _key(self, headers: Sequence[tuple[bytes, bytes]]) -> ApiKey | None:
        if self._keys is None:
            return None
        presented = presented_key(headers)
        return None if presented is None else self._keys.find(presented)

    def _address(self, client: Sequence[Any] | None, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
        peer = str(client[0]) if client else None
        if not self._trusted or peer is None or not self._is_proxy(peer):
            return peer
        chains = (list(forwarded_for(headers)), list(forwarded(headers)))
        origins = {self._origin(chain, peer) for chain in chains if chain}
        # A proxy writes one of the two and hands on the other as it came. Where they disagree one is invented.
        return origins.pop() if len(origins) == 1 else peer

    def _origin(self, chain: Sequence[str], peer: str) -> str:
        """Return the nearest hop that is no trusted proxy; hops before it may have been invented by anybody."""
        nearest = peer
        for hop in reversed(chain[-MAX_HOPS:]):
            address = address_in(hop)
            if address is None:
                return nearest
            nearest = address
            if not self._is_proxy(address):
                break
        return nearest

    def _is_trusted(self, text: str) -> bool:
        address = parsed(text)
        return address is not None and any(address in network for network in self._trusted)


def forwarded_for(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
    """Yield the hops of X-Forwarded-For, the farthest first."""
    for name, value in headers:
        if name == b"x-forwarded-for":
            yield from value.decode("latin-1").split(",")


def forwarded(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
    """Yield the hops of Forwarded (RFC 7239); an element without ``for`` is a hop without an address."""
    for name, value in headers:
        if name == b"forwarded":
            for element in value.decode("latin-1").split(","):
                pairs = (pair.strip().partition("=") for pair in element.split(";"))
                yield next((node for parameter, _, node in pairs if parameter.lower() == "for"), "")


def address_in(hop: str) -> str | None:
    """Extract the address of a hop such as ``192.0.2.1:80`` or ``"[2001:db8::1]:80"``; None if it holds none."""
    return _address_in(hop) if len(hop) <= MAX_ADDRESS_LENGTH else None  # before it is remembered


@lru_cache(_REMEMBERED)
def _address_in(hop: str) -> str | None:
    text = hop.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = parsed(text)
    return None if address is None else str(address)


@lru_cache(_REMEMBERED)
def parsed(text: str) -> Address | None:
    """Parse an address; an IPv4 address that came through an IPv6 socket counts as IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


@lru_cache(_REMEMBERED)
def household_of(text: str) -> str:
    address = parsed(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) & _HOUSEHOLD_MASK, HOUSEHOLD)))
    return text if address is None else str(address)

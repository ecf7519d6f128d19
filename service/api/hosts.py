"""Hosts that requests may be addressed to: a defence against DNS rebinding (docs/adr/0016-which-hosts-are-answered.md).

A page whose name its author points at this machine is, to the browser, of the same origin as the service: no rule about
origins keeps its scripts away. What gives it away is its name, in the Host header.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, cast

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from litestar.utils import normalize_path

from service.api.problems import send_problem
from service.errors import UnknownHostError
from service.settings import Settings

_HOST = re.compile(r"(\[(?P<address>[^\]]+)\]|(?P<name>[^:\[\]]+))(:\d*)?")
HEALTH, ADMIN = "/health/", "/admin/"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedHosts:
    """Hosts whose requests are answered. ``names`` are in small letters; ``*.example.com`` stands for all below it."""

    names: frozenset[str]
    everywhere: bool  # on all paths but those of probes; else on those that change something

    @classmethod
    def of(cls, settings: Settings, bound_to: str) -> AllowedHosts:
        """Return the hosts that the settings allow on a port of this address."""
        own = {"localhost", "*.localhost", bound_to.lower(), socket.gethostname().lower()}
        is_private = is_loopback(bound_to) and not settings.trusted_proxies
        return cls(
            names=frozenset(own.union(settings.allowed_hosts or ())),
            everywhere=settings.allowed_hosts is not None or is_private,
        )

    def allows(self, host: str) -> bool:
        """Return whether a Host header names an address, which no page can be bound to anew, or an allowed name."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        if is_address(found["address"] or found["name"]):
            return True
        name = (found["name"] or "").lower().removesuffix(".")
        parents = [name[place:] for place, letter in enumerate(name) if letter == "."]
        return not self.names.isdisjoint({"*", name, *(f"*{parent}" for parent in parents)})

    def guards(self, path: str) -> bool:
        """Return whether a path is answered for allowed hosts only."""
        path = normalize_path(path) + "/"
        return path.startswith(ADMIN) or (self.everywhere and not path.startswith(HEALTH))


class HostMiddleware:
    """Refuses requests that are addressed to a host that is not allowed. One without a Host header comes from no
    browser."""

    def __init__(self, app: ASGIApp, *, hosts: AllowedHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = host_of(scope["headers"])
        if host is None or self._hosts.allows(host) or not self._hosts.guards(cast("Any", scope)["path"]):
            await self._app(scope, receive, send)
            return
        refusal = UnknownHostError(
            "this service is not known under the host that the request names: ask it by its address, or let "
            "RIBBON_ALLOWED_HOSTS have the name"
        )
        await send_problem(cast("HTTPScope", scope), send, refusal)


def host_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the Host header, if there is one."""
    return next((value.decode("latin-1") for name, value in headers if name == b"host"), None)


def is_address(name: str) -> bool:
    """Return whether a name is an IP address."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)

"""Protection of browsers and against them: the hosts that are answered, rules for pages of other origins, and headers
of every answer.

A page whose name its author points at this machine is, to the browser, of the same origin as the service: what gives it
away is its name, in the Host header (DNS rebinding, docs/adr/0016-which-hosts-are-answered.md). A form, or a script
that need not read the answer, asks no permission, and the person at the browser may reach what the page's author
cannot: the order of the checks is that of Go's ``net/http.CrossOriginProtection`` (Valsorda, 2025).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, cast

from litestar import Request
from litestar.config.cors import CORSConfig
from litestar.types import Message, Send
from litestar.utils import normalize_path

from service.api.context import RequestContext
from service.errors import CrossOriginError, UnknownHostError
from service.lifecycle import Lifecycle
from service.settings import Settings

Headers = Iterable[tuple[bytes, bytes]]
HEALTH, ADMIN = "/health/", "/admin/"
_HOST = re.compile(r"(\[(?P<address>[^\]]+)\]|(?P<name>[^:\[\]]+))(:\d*)?")
_ALL = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
# Data is not meant to be seen as a page; if it is, it may load and do nothing.
_DATA = [*_ALL, (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")]
ANSWER_HEADERS = [*_DATA, (b"cache-control", b"no-store")]
# A page has its scripts from here alone, and none written into it; the schema's writes its own styles.
_PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = [*_ALL, (b"x-frame-options", b"DENY"), (b"content-security-policy", _PAGE_POLICY)]
CLOSE_CONNECTION = (b"connection", b"close")  # the next request should go to another process
_OWN_SITES = frozenset({"same-origin", "none"})  # none: a person typed the address


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

    def refusal(self, path: str, host: bytes | None) -> UnknownHostError | None:
        """Return the error that refuses a request addressed to a host that is not allowed. One without a Host header
        comes from no browser."""
        if host is None or allows(host.decode("latin-1"), self.names) or not self.guards(path):
            return None
        return UnknownHostError(
            "this service is not known under the host that the request names: ask it by its address, or let "
            "RIBBON_ALLOWED_HOSTS have the name"
        )

    def guards(self, path: str) -> bool:
        """Return whether a path is answered for allowed hosts only."""
        path = normalize_path(path) + "/"
        return path.startswith(ADMIN) or (self.everywhere and not path.startswith(HEALTH))


@lru_cache(1024)
def allows(host: str, names: frozenset[str]) -> bool:
    """Return whether a Host header names an address, which no page can be bound to anew, or an allowed name."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    if is_address(found["address"] or found["name"]):
        return True
    name = (found["name"] or "").lower().removesuffix(".")
    parents = [name[place:] for place, letter in enumerate(name) if letter == "."]
    return not names.isdisjoint({"*", name, *(f"*{parent}" for parent in parents)})


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


def security_headers(method: str, headers: Headers) -> Headers:
    """Return the headers that an answer gets in addition; a page keeps a content security policy of its own."""
    if method == "POST":
        return ANSWER_HEADERS
    given = dict(headers)
    if b"content-security-policy" in given:
        return _ALL
    return _PAGE if given.get(b"content-type", b"").startswith(b"text/html") else _DATA


def with_headers(send: Send, context: RequestContext, method: str, lifecycle: Lifecycle) -> Send:
    """Return a function that sends an answer's messages with the headers of all answers, and records its size."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            context.status, headers = message["status"], message["headers"]
            closing = [CLOSE_CONNECTION] if lifecycle.is_ending else []
            message["headers"] = [*headers, *security_headers(method, headers), *context.answer_headers(), *closing]
        elif method != "HEAD":
            context.answer_bytes += len(cast("dict[str, Any]", message).get("body", b""))
        await send(message)

    return send_with_headers


def cross_origin(origins: Sequence[str] | None) -> CORSConfig | None:
    """Allow pages of these origins to call the service and read the headers they need; without origins, none may."""
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "HEAD", "POST", "OPTIONS"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "X-API-Key",
            "X-Priority",
            "X-Request-ID",
            "X-Request-Timeout-Ms",
        ],
        expose_headers=["RateLimit", "RateLimit-Policy", "Retry-After", "Server-Timing", "X-Request-ID"],
    )


async def refuse_cross_origin(request: Request[Any, Any, Any]) -> None:
    """Refuse a request that a browser sends for another origin's page; Litestar calls it before a handler. Other
    clients send neither header and pass. Raises CrossOriginError."""
    sites = request.headers.getall("sec-fetch-site", [])
    origins = request.headers.getall("origin", [])
    own = f"//{request.headers.get('host', '')}".lower()
    # The ``//host:port`` of an origin is compared; ``null`` has none.
    is_own = _OWN_SITES.issuperset(sites) if sites else all(each.lower().partition(":")[2] == own for each in origins)
    if not is_own:
        raise CrossOriginError(
            "a browser sent this for a page of another origin: ask with curl, or on this port's /schema"
        )

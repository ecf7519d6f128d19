"""Protection of browsers and against them: headers of every answer, and rules for pages of other origins.

A form, or a script that need not read the answer, asks no permission, and the person at the browser may reach what the
page's author cannot. The order of the checks is that of Go's ``net/http.CrossOriginProtection`` (Valsorda, 2025).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from litestar import Request
from litestar.config.cors import CORSConfig

from service.errors import CrossOriginError

Headers = Iterable[tuple[bytes, bytes]]

_ALL = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
# Data is not meant to be seen as a page; if it is, it may load and do nothing.
_DATA = [*_ALL, (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")]
_ANSWER = [*_DATA, (b"cache-control", b"no-store")]
# A page has its scripts from here alone, and none written into it; the schema's writes its own styles.
_PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = [*_ALL, (b"x-frame-options", b"DENY"), (b"content-security-policy", _PAGE_POLICY)]
_OWN_SITES = frozenset({"same-origin", "none"})  # none: a person typed the address


def security_headers(method: str, headers: Headers) -> Headers:
    """Return the headers that an answer gets in addition to its own; a page with a content security policy keeps
    that."""
    if method == "POST":
        return _ANSWER
    given = dict(headers)
    if b"content-security-policy" in given:
        return _ALL
    return _PAGE if given.get(b"content-type", b"").startswith(b"text/html") else _DATA


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

"""Security headers that are added to every answer, and cross-origin rules for browsers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from litestar.config.cors import CORSConfig

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

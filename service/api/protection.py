"""Headers that tell browsers what not to do with an answer; chosen once, added to every answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from litestar.config.cors import CORSConfig

Headers = Iterable[tuple[bytes, bytes]]

_ALL = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"), (b"x-frame-options", b"DENY")]
_SHUT = b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# Nobody should see data as a page; if somebody does, it may load and do nothing.
_DATA = [*_ALL, (b"content-security-policy", b"default-src 'none'; " + _SHUT)]
_ANSWER = [*_DATA, (b"cache-control", b"no-store")]
_PAGE = [*_ALL, (b"content-security-policy", b"default-src 'self'; " + _SHUT)]
# The schema's page, Scalar, comes from its makers' network and writes its own styles.
_CDN = b"https://cdn.jsdelivr.net"
_SCHEMA_PAGE = [
    *_ALL,
    (
        b"content-security-policy",
        b"default-src 'none'; script-src %b; style-src %b 'unsafe-inline'; img-src 'self' data: blob: %b; "
        b"font-src data: %b https://fonts.scalar.com; connect-src 'self' %b; worker-src blob:; "
        % ((_CDN,) * 5)
        + _SHUT,
    ),
]
SCHEMA = "/schema"


def protections(method: str, path: str, headers: Headers) -> Headers:
    """What an answer with these headers gets; a page that has a content security policy keeps its own."""
    if method == "POST":
        return _ANSWER
    given = dict(headers)
    if b"content-security-policy" in given:
        return _ALL
    if not given.get(b"content-type", b"").startswith(b"text/html"):
        return _DATA
    return _SCHEMA_PAGE if path.startswith(SCHEMA) else _PAGE


def cross_origin(origins: Sequence[str] | None) -> CORSConfig | None:
    """Pages of these origins may call the service and read what they need of the headers; none may by default."""
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

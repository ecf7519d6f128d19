"""Headers that tell browsers what not to do with an answer; chosen once, added to every answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from litestar.config.cors import CORSConfig

Headers = Iterable[tuple[bytes, bytes]]

_ALL = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
# Nobody should see data as a page; if somebody does, it may load and do nothing.
_DATA = [*_ALL, (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")]
_ANSWER = [*_DATA, (b"cache-control", b"no-store")]
# A page has its scripts from here alone, and none written into it; the schema's writes its own styles.
_PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = [*_ALL, (b"x-frame-options", b"DENY"), (b"content-security-policy", _PAGE_POLICY)]


def protections(method: str, headers: Headers) -> Headers:
    """What an answer with these headers gets; a page that has a content security policy keeps its own."""
    if method == "POST":
        return _ANSWER
    given = dict(headers)
    if b"content-security-policy" in given:
        return _ALL
    return _PAGE if given.get(b"content-type", b"").startswith(b"text/html") else _DATA


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

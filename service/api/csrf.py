"""Protection against cross-site requests: those that a browser sends because another site's page told it to.

A form, or a script that need not read the answer, asks no permission, and the person at the browser may reach what the
page's author cannot. The order of the checks is that of Go's ``net/http.CrossOriginProtection`` (Valsorda, 2025).
"""

from __future__ import annotations

from typing import Any

from litestar import Request

from service.errors import CrossOriginError

_OWN_SITES = frozenset({"same-origin", "none"})  # none: a person typed the address


async def refuse_cross_origin(request: Request[Any, Any, Any]) -> None:
    """Refuse a request that a browser sends for another origin's page; Litestar calls it before a handler. Other
    clients send neither header and pass. Raises CrossOriginError."""
    sites = request.headers.getall("sec-fetch-site", [])
    origins = request.headers.getall("origin", [])
    own = f"//{request.headers.get('host', '')}".lower()
    is_own = _OWN_SITES.issuperset(sites) if sites else all(_address(origin) == own for origin in origins)
    if not is_own:
        raise CrossOriginError(
            "a browser sent this for a page of another origin: ask with curl, or on this port's /schema"
        )


def _address(origin: str) -> str:
    """Return the ``//host:port`` of an origin; ``null`` has none."""
    return origin.lower().partition(":")[2]

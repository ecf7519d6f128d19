"""Requests that a browser sends because a page of somebody else told it to: a form, or a script that need not read the
answer. No permission is asked for those, and whoever runs the browser may reach what the page's author cannot.

The order of the checks is that of Go's ``net/http.CrossOriginProtection`` (Valsorda, 2025).
"""

from __future__ import annotations

from typing import Any

from litestar import Request

from service.errors import CrossOriginError

_OWN_SITES = frozenset({"same-origin", "none"})  # none: a person typed the address


async def refuse_other_origins(request: Request[Any, Any, Any]) -> None:
    """Litestar calls it before a handler. Who is no browser sends neither header and passes.
    Raises CrossOriginError."""
    sites = request.headers.getall("sec-fetch-site", [])
    origins = request.headers.getall("origin", [])
    own = f"//{request.headers.get('host', '')}".lower()
    is_own = _OWN_SITES.issuperset(sites) if sites else all(_address(origin) == own for origin in origins)
    if not is_own:
        raise CrossOriginError(
            "a browser sent this for a page of another origin: ask with curl, or on this port's /schema"
        )


def _address(origin: str) -> str:
    """``//host:port``; ``null`` has none."""
    return origin.lower().partition(":")[2]

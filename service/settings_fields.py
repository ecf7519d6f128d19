"""Declaration of settings, and the parsers of those that are more than a number or a word."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^/\s?#@A-Z]+")
_USUAL_PORT = re.compile(r"http://.*:80|https://.*:443")


def setting(default: Any, *, meaning: str, cost: str, **constraints: Any) -> Any:
    """Declare a field with its entries in the table of settings: its meaning, and the cost of turning it up."""
    return Field(default, description=meaning, json_schema_extra={"cost": cost}, **constraints)


def _parts(value: Any) -> Any:
    """Split a value at its commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _networks(value: Any) -> Any:
    """Parse networks; one address is a network too. Raises ValueError, once for all."""
    parts = _parts(value)
    return tuple(map(ip_network, parts)) if isinstance(value, str) else value


def _origins(value: Any) -> Any:
    """Parse origins. Raises ValueError for one that no browser would ever send."""
    parts = _parts(value)
    for part in parts:
        if not _ORIGIN.fullmatch(part) or _USUAL_PORT.fullmatch(part):
            raise ValueError(
                f"{part!r} is no origin as browsers send it: that is scheme://host or scheme://host:port, in small "
                "letters, without a path and without the scheme's usual port"
            )
    return parts


Network = IPv4Network | IPv6Network
Networks = Annotated[tuple[Network, ...], BeforeValidator(_networks)]
Origins = Annotated[tuple[str, ...], BeforeValidator(_origins)]

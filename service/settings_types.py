"""Types of settings: numbers with their ranges, and lists that are written with commas."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

MAX_DRAIN_SECONDS = 86_400  # a day: what is longer is a mistake, and what is much longer no clock can wait for
AUTO = 0  # workers: as many as suit the machine
MAX_WORKERS = 64
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^/\s?#@A-Z]+")
_HOST = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_USUAL_PORT = re.compile(r"http://.*:80|https://.*:443")


def _split(value: Any) -> Any:
    """Split a string at its commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _networks(value: Any) -> Any:
    """Parse networks; one address is a network too. Raises ValueError, once for all."""
    return tuple(map(ip_network, _split(value))) if isinstance(value, str) else value


def _origins(value: Any) -> Any:
    """Parse origins. Raises ValueError for one that no browser would ever send."""
    origins = _split(value)
    for origin in origins:
        if not _ORIGIN.fullmatch(origin) or _USUAL_PORT.fullmatch(origin):
            raise ValueError(
                f"{origin!r} is no origin as browsers send it: that is scheme://host or scheme://host:port, in small "
                "letters, without a path and without the scheme's usual port"
            )
    return origins


def _hosts(value: Any) -> Any:
    """Parse names of hosts. Raises ValueError for one that no Host header can have."""
    hosts = [host.lower() for host in _split(value)]
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} is no name of a host, without a port; `*.` before one stands for all below it")
    return hosts


def _workers(value: Any) -> Any:
    """Return AUTO for ``auto``. Raises ValueError for a number that is none of workers, AUTO's own too."""
    if value == "auto":
        return AUTO
    if str(value).strip() == str(AUTO):
        raise ValueError("should be auto, or a number from 1")
    return value


Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
Workers = Annotated[int, Field(ge=AUTO, le=MAX_WORKERS), BeforeValidator(_workers)]
Seconds = Annotated[float, Field(gt=0)]
DrainSeconds = Annotated[float, Field(ge=0, le=MAX_DRAIN_SECONDS)]
Network = IPv4Network | IPv6Network
Networks = Annotated[tuple[Network, ...], BeforeValidator(_networks)]
Origins = Annotated[tuple[str, ...], BeforeValidator(_origins)]
Hosts = Annotated[tuple[str, ...], BeforeValidator(_hosts)]

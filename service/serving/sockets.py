"""Binds the addresses that are listened on, before anything else is done."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from errno import EADDRNOTAVAIL, EAFNOSUPPORT

from service.errors import AddressError

Sockets = Sequence[socket.socket]
BACKLOG = 2048  # connections that wait to be accepted, if the system allows as many
TCP_CLOSED = 7  # TCP_CLOSE, of the states of a connection in Linux's netinet/tcp.h
_ABSENT = frozenset({EADDRNOTAVAIL, EAFNOSUPPORT})  # localhost may name ::1 where there is no IPv6


def bind(host: str, port: int) -> list[socket.socket]:
    """Bind a socket for every address of ``host``, all with one port, which is any free one if ``port`` is 0. They do
    not listen yet. Raises AddressError."""
    try:
        addresses = list(_addresses(host, port))
    except OSError as error:
        raise AddressError(f"{host}: {_reason(error)}") from error
    except UnicodeError as error:  # what Python says of names that no server of names is even asked for
        raise AddressError(f"{host}: not a name that an address can have") from error
    bound: list[socket.socket] = []
    for family, address in addresses:
        chosen = bound[0].getsockname()[1] if bound else port
        try:
            bound.append(_bind_one(family, (address, chosen)))
        except OSError as error:
            if error.errno not in _ABSENT or len(addresses) == 1:
                raise AddressError(f"{host}:{chosen}: {_reason(error)}") from error
    if not bound:
        raise AddressError(f"{host}: none of its addresses is this machine's")
    return bound


def listen(sockets: Sockets) -> None:
    """Listen on bound sockets. Raises AddressError if another process was quicker."""
    for each in sockets:
        try:
            each.listen(BACKLOG)
        except OSError as error:
            raise AddressError(f"{url_of([each])}: {_reason(error)}") from error


def url_of(sockets: Sockets) -> str:
    """Return the URL of the first socket."""
    host, port = sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_reset(connected: socket.socket) -> bool:
    """Return whether a connection was reset, as far as the system tells (Linux)."""
    if not hasattr(socket, "TCP_INFO"):
        return False
    return connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSED


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _addresses(host: str, port: int) -> Iterator[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    yield from dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found)


def _bind_one(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound

"""Request head: what uvicorn's parser lets pass and HTTP/1.1 forbids, and the path that a target names."""

from __future__ import annotations

import re
from urllib.parse import unquote

from service.errors import MalformedHttpError

VERSIONS = frozenset({"1.0", "1.1"})
_HOST = rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+,;=%-]{1,255})(:[0-9]{0,5})?"
_VALID_HOST = re.compile(_HOST)
_ABSOLUTE = re.compile(rb"https?://(?P<authority>" + _HOST + rb")[/?].*", re.IGNORECASE | re.DOTALL)
_NO_VERSION = re.compile(rb"(\r?\n)*[A-Z]+ [^ \r\n]+\r?\n")
_ENCODED_SLASH = re.compile("%(2f|5c)", re.IGNORECASE)

Headers = list[tuple[bytes, bytes]]


def check_head(*, version: str, method: bytes, target: bytes, headers: Headers) -> None:
    """Check the version, the target and the Host of a request (RFC 9112, sections 2.3 and 3.2). Raises
    MalformedHttpError.

    A target that names a host, as proxies send it, replaces the Host header: what follows looks at one of them only.
    """
    if version not in VERSIONS:
        raise MalformedHttpError(f"this is HTTP/{version}; send HTTP/1.1")
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise MalformedHttpError(f"a request in HTTP/1.1 has one Host header; this one has {len(hosts) or 'none'}")
    if hosts and not _VALID_HOST.fullmatch(hosts[0]):
        raise MalformedHttpError("the Host header is no host, with or without a port")
    if target.startswith(b"/") or method == b"CONNECT" or (target == b"*" and method == b"OPTIONS"):
        return
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise MalformedHttpError("the target is neither a path nor an address that begins with http:// or https://")
    headers[:] = [each for each in headers if each[0] != b"host"] + [(b"host", absolute["authority"])]


def check_first_line(head: bytes) -> None:
    """Check the begin of a head that is not whole. Raises MalformedHttpError if its first line names no version, as in
    HTTP/0.9: nothing more may come."""
    if _NO_VERSION.match(head):
        raise MalformedHttpError("the first line names no version; send HTTP/1.1")


def path_of(raw_path: bytes) -> str:
    """Return the path that a target's path names: decoded, but for slashes that are written as data (RFC 3986, section
    2.2), so that ``/tag%2f`` is not ``/tag/``."""
    return unquote(_ENCODED_SLASH.sub(r"%25\1", raw_path.decode("ascii")))

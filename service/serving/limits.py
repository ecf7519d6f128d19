"""Limits of connections: how many, how slow, what a request's head may be, and the message that refuses the rest."""

from __future__ import annotations

import asyncio
import re
import resource
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import unquote

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.api.browsers import CLOSE_CONNECTION
from service.api.context import new_request_id
from service.api.problems import document_bytes, problem_message
from service.errors import HeadTooLargeError, MalformedHttpError, ServiceError
from service.settings import Settings

MAX_CONNECTIONS = 10_000
MAX_HEAD_BYTES = 32 * 1024
# The parser is fed at most so much at once: it does not say how much of it came behind the last callback, so that what
# is unparsed is known only to so many bytes.
PIECE_BYTES = 4096
MAX_PIPELINED = 16  # requests that wait; as long as there are fewer, a caller who leaves is noticed
FILES_KEPT_FREE = 128  # of the process's limit: models, logs, sockets that listen
VERSIONS = frozenset({"1.0", "1.1"})
_HOST = rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+,;=%-]{1,255})(:[0-9]{0,5})?"
_VALID_HOST = re.compile(_HOST)
_ABSOLUTE = re.compile(rb"https?://(?P<authority>" + _HOST + rb")[/?].*", re.IGNORECASE | re.DOTALL)
_NO_VERSION = re.compile(rb"(\r?\n)*[A-Z]+ [^ \r\n]+\r?\n")
_ENCODED_SLASH = re.compile("%(2f|5c)", re.IGNORECASE)

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits of a server's connections and of each one."""

    max_connections: int = MAX_CONNECTIONS
    request_seconds: float = 30.0  # for a head, from its first byte or the connection's begin; for a dropped body
    answer_seconds: float = 60.0  # without a byte of an answer being read
    linger_seconds: float = 5.0  # without a byte of a dropped body

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits that the settings ask for; connections are at most as many as files may be opened for."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        possible = MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(1, files - FILES_KEPT_FREE)
        return cls(
            max_connections=settings.max_connections or min(MAX_CONNECTIONS, possible),
            request_seconds=settings.body_timeout_seconds,
            answer_seconds=settings.answer_timeout_seconds,
        )


class PipelineFlow(FlowControl):
    """Flow control that reads nothing while many requests, or long ones, wait for the one before them: uvicorn takes in
    as many as a caller sends."""

    def __init__(self, transport: asyncio.Transport, pipeline: Collection[tuple[RequestResponseCycle, Any]]) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        pipeline = self._pipeline
        if not pipeline or (
            len(pipeline) <= MAX_PIPELINED and sum([len(cycle.body) for cycle, _ in pipeline]) <= HIGH_WATER_LIMIT
        ):
            super().resume_reading()


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


def check_first_line(head: bytes | memoryview) -> None:
    """Check the begin of a head that is not whole. Raises MalformedHttpError if its first line names no version, as in
    HTTP/0.9: nothing more may come."""
    if _NO_VERSION.match(head):
        raise MalformedHttpError("the first line names no version; send HTTP/1.1")


def path_of(raw_path: bytes) -> str:
    """Return the path that a target's path names: decoded, but for slashes that are written as data (RFC 3986, section
    2.2), so that ``/tag%2f`` is not ``/tag/``."""
    return unquote(_ENCODED_SLASH.sub(r"%25\1", raw_path.decode("ascii")))


def head_size(target: bytes, headers: Headers) -> int:
    """Return the bytes of a request's head, but for those of its method and version."""
    return len(target) + sum(len(name) + len(value) + len(": \r\n") for name, value in headers)


def head_too_large() -> HeadTooLargeError:
    return HeadTooLargeError(f"the path and headers have more than {MAX_HEAD_BYTES} bytes")


def last_answer(error: ServiceError, server_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return an error as a whole response, the last of its connection."""
    request_id = new_request_id()
    more_headers = [*server_headers, (b"x-request-id", request_id.encode()), CLOSE_CONNECTION]
    return problem_message(error, document_bytes(error, request_id), more_headers)

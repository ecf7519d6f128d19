"""A closed-loop HTTP/1.1 client that costs next to nothing, for it shares the cores with what it measures.

Requests are bytes made beforehand, connections are kept alive, and of an answer only the status and the
length are read. One thread, one selector: some 12 microseconds a request.
"""

from __future__ import annotations

import itertools
import json
import re
import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = slice(9, 12)  # HTTP/1.1 200
_TIMEOUT_SECONDS = 60.0
_CHUNK_SIZE = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it goes over the wire, the texts in it, and their words."""

    content: bytes
    num_words: int
    num_items: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The answers to a closed loop in its window."""

    seconds: float
    num_words: int
    num_answers: int
    num_refused: int  # answers other than 200; their words are not counted
    client_cpu_seconds: float

    @property
    def words_per_second(self) -> float:
        return self.num_words / self.seconds

    @property
    def requests_per_second(self) -> float:
        return self.num_answers / self.seconds

    @property
    def client_cpu_share(self) -> float:
        """The processor time of the client as a share of one core."""
        return self.client_cpu_seconds / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def text_request(
    path: str,
    texts: Sequence[str],
    *,
    num_words: int,
    field: str = "text",
    wishes: Mapping[str, str | int | float] = MappingProxyType({}),
) -> Request:
    """A ``POST`` of these texts to a task's route, in this field; ``wishes`` are the other fields of the request."""
    body = json.dumps({field: list(texts), **wishes}, ensure_ascii=False).encode()
    return Request(content=encode_request("POST", path, body), num_words=num_words, num_items=len(texts))


def encode_request(method: str, path: str, body: bytes = b"", *, headers: Sequence[str] = ()) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", "content-type: application/json", *headers]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


class Connection:
    """One keep-alive connection with at most one request on its way."""

    __slots__ = ("_buffer", "_head", "_remaining", "num_words", "ok", "socket", "status")

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection((address.host, address.port), timeout=_TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(_CHUNK_SIZE)
        self._head = b""
        self._remaining = -1  # of the body; below zero while the head is still coming
        self.num_words = 0
        self.status = 0
        self.ok = False

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def fileno(self) -> int:
        """The descriptor of the socket, to wait for several at once."""
        return self.socket.fileno()

    def send(self, request: Request) -> None:
        self.num_words, self._head, self._remaining = request.num_words, b"", -1
        self.socket.sendall(request.content)

    def receive(self) -> bool:
        """Take what has arrived; true when that completes the answer."""
        size = self.socket.recv_into(self._buffer)
        if not size:
            raise ConnectionError("the service closed the connection in mid-answer")
        if self._remaining >= 0:
            self._remaining -= size
        else:
            self._head += self._buffer[:size]
            self._read_head()
        return self._remaining == 0

    def _read_head(self) -> None:
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._head, 0, end)
        if length is None:
            raise ConnectionError("an answer without Content-Length")
        self.status = int(self._head[_STATUS])
        self.ok = self.status == 200
        self._remaining = int(length[1]) - (len(self._head) - end - 4)

    def ask(self, content: bytes) -> Answer:
        """One request, and its answer in full: for what is not being saturated."""
        self.socket.sendall(content)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        lines = received[:end].decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        body = bytearray(received[end + 4 :])
        while len(body) < int(headers["content-length"]):
            body += self._more()
        return Answer(status=int(lines[0].split()[1]), headers=headers, body=bytes(body))

    def _more(self) -> bytes:
        chunk = self.socket.recv(_CHUNK_SIZE)
        if not chunk:
            raise ConnectionError("the service closed the connection in mid-answer")
        return chunk


def saturate(
    address: Address,
    requests: Sequence[Request],
    *,
    num_connections: int,
    warm_up_seconds: float,
    seconds: float,
) -> Load:
    """Keep every connection busy for a while; only answers that arrive after the warm-up count."""
    todo = itertools.cycle(requests)
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(num_connections):
            connection = stack.enter_context(Connection(address))
            connection.socket.settimeout(None)  # the selector waits; a timeout would poll before each read
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(next(todo))
        for _ in _answered(selector, todo, until=time.perf_counter() + warm_up_seconds):
            pass
        return _count(selector, todo, seconds=seconds)


def _count(selector: selectors.BaseSelector, todo: Iterator[Request], *, seconds: float) -> Load:
    num_words = num_answers = num_refused = 0
    started, cpu_started = time.perf_counter(), time.process_time()
    for words in _answered(selector, todo, until=started + seconds):
        num_words += words
        num_answers += words > 0
        num_refused += words == 0
    return Load(
        seconds=time.perf_counter() - started,
        num_words=num_words,
        num_answers=num_answers,
        num_refused=num_refused,
        client_cpu_seconds=time.process_time() - cpu_started,
    )


def _answered(selector: selectors.BaseSelector, todo: Iterator[Request], *, until: float) -> Iterator[int]:
    """The words of each answer as it arrives, 0 if it was a refusal; the connection gets its next request."""
    while time.perf_counter() < until:
        for key, _ in selector.select(timeout=_TIMEOUT_SECONDS):
            connection: Connection = key.data
            if connection.receive():
                words = connection.num_words if connection.ok else 0
                connection.send(next(todo))
                yield words

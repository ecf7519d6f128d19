"""The badly behaved: they vanish, read slowly, send half of it, or send something else."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence

from bench.chaos.asks import Ask, large_ask, long_stream
from bench.chaos.wire import encode
from bench.client import Address

MARKER = "Xylophagous"  # in every text of theirs: it must never turn up in a log
SMALL_BUFFER = 4096
NUM_VANISHING, NUM_SLOW, NUM_HALVES, NUM_HALF_CLOSED, NUM_HOARDERS = 20, 4, 6, 8, 24
HOARDED_BYTES = 2 * 1024 * 1024  # of each body that never ends
ANSWERED = "200"
SLOW_SECONDS, HOLD_SECONDS = 6.0, 6.0
CONNECT_SECONDS = 10.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, with no time: close() sends RST
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
CLOSED, HELD = "closed", "held open"


class Caller:
    """A raw socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: socket.socket) -> None:
        self.reader, self.writer, self._raw = reader, writer, raw

    @classmethod
    async def connect(cls, address: Address, *, receive_buffer: int | None = None) -> Caller:
        raw = socket.socket()
        raw.setblocking(False)
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(raw, (address.host, address.port))
            reader, writer = await asyncio.open_connection(sock=raw, limit=receive_buffer or 1 << 16)
        return cls(reader, writer, raw)

    def send(self, content: bytes) -> None:
        self.writer.write(content)

    def leave(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Leave without a goodbye."""
        if not self.writer.is_closing():
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.writer.transport.abort()

    async def hear(self, seconds: float) -> str:
        """The status of what comes back, or what happens instead."""
        try:
            async with asyncio.timeout(seconds):
                heard = await self.reader.read(1 << 16)
        except TimeoutError:
            return HELD
        except OSError:
            return CLOSED
        found = _STATUS.findall(heard)  # of an interim answer and the final one, the last
        return found[-1].decode() if found else CLOSED


async def vanish(addresses: Sequence[Address], draw: random.Random) -> Counter[str]:
    """Send and close, send and reset, or leave in the middle of a stream."""
    ways = (_send_and_leave, _send_and_reset, _read_half_a_stream)
    return await _all(draw.choice(ways)(draw.choice(addresses), draw.random() / 5) for _ in range(NUM_VANISHING))


async def _send_and_leave(address: Address, seconds: float) -> str:
    caller = await Caller.connect(address)
    caller.send(_encode(long_stream() if seconds < 0.1 else large_ask()))
    await asyncio.sleep(seconds)
    caller.leave()
    return "left"


async def _send_and_reset(address: Address, seconds: float) -> str:
    caller = await Caller.connect(address)
    caller.send(_encode(long_stream() if seconds < 0.1 else large_ask()))
    await asyncio.sleep(seconds)
    caller.reset()
    return "reset"


async def _read_half_a_stream(address: Address, seconds: float) -> str:
    caller = await Caller.connect(address)
    caller.send(_encode(long_stream()))
    heard = await caller.hear(5.0)
    await asyncio.sleep(seconds)
    caller.reset()
    return f"stream {heard}, then reset"


async def read_slowly(addresses: Sequence[Address], draw: random.Random) -> Counter[str]:
    """A few hundred bytes at a time from an answer of hundreds of kilobytes, then gone."""
    return await _all(_read_slowly(draw.choice(addresses)) for _ in range(NUM_SLOW))


async def _read_slowly(address: Address) -> str:
    caller = await Caller.connect(address, receive_buffer=SMALL_BUFFER)
    caller.send(_encode(large_ask()))
    num_bytes, loop = 0, asyncio.get_running_loop()
    end = loop.time() + SLOW_SECONDS
    try:
        while loop.time() < end and (piece := await asyncio.wait_for(caller.reader.read(300), SLOW_SECONDS)):
            num_bytes += len(piece)
            await asyncio.sleep(0.1)
    except (TimeoutError, OSError):
        return CLOSED
    finally:
        caller.reset()
    return "read a part" if num_bytes else "read nothing"


async def send_halves(addresses: Sequence[Address], draw: random.Random) -> Counter[str]:
    """Half of the headers or half of the body, and then nothing for seconds; some leave, some wait to hear of it."""
    whole = encode("POST", "/tag", b'{"text": "%s is half of it"}' % MARKER.encode())
    head = whole.index(b"\r\n\r\n")
    halves = (whole[: head // 2], whole[: head + 2], whole[: head + 4], whole[:-9])
    return await _all(_send_half(draw.choice(addresses), draw.choice(halves)) for _ in range(NUM_HALVES))


async def _send_half(address: Address, half: bytes) -> str:
    caller = await Caller.connect(address)
    caller.send(half)
    heard = await caller.hear(HOLD_SECONDS)
    caller.leave()
    return heard


async def send_garbage(addresses: Sequence[Address], draw: random.Random) -> Counter[str]:
    """Everything but HTTP, and HTTP with everything wrong."""
    return await _all(_send_garbage(draw.choice(addresses), garbage) for garbage in garbages(draw))


async def _send_garbage(address: Address, garbage: bytes) -> str:
    caller = await Caller.connect(address)
    caller.send(garbage)
    heard = await caller.hear(2.0)
    caller.reset()
    return heard


def garbages(draw: random.Random) -> list[bytes]:
    body = b'{"text": "%s"}' % MARKER.encode()
    return [
        draw.randbytes(400),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + draw.randbytes(64),  # a TLS greeting
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /tag HTTP/9.9\r\nhost: localhost\r\n\r\n",
        b"POST /tag HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n" + body,
        b"POST /tag HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 50\r\n\r\n" + body,
        b"POST /tag HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n" + body,
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 2000 + b"\r\n",
        encode("POST", "/tag", body[:-1]),
        encode("POST", "/tag", b"[" * 5000),
        encode("POST", "/translate", b'{"text": "%s", "target": "xx"}' % MARKER.encode()),
        encode("POST", "/tag", b'{"text": "\\ud800 %s"}' % MARKER.encode()),
        encode("BREW", "/tag", body),
    ]


async def half_close(addresses: Sequence[Address], draw: random.Random) -> Counter[str]:
    """A whole request, and the end of sending at once with it."""
    return await _all(_half_close(draw.choice(addresses)) for _ in range(NUM_HALF_CLOSED))


async def _half_close(address: Address) -> str:
    caller = await Caller.connect(address)
    caller.send(encode("POST", "/tag", b'{"text": "%s is the last word"}' % MARKER.encode()))
    caller.writer.write_eof()
    heard = await caller.hear(HOLD_SECONDS)
    if heard == "100":  # the service looks whether anybody is still there
        heard = await caller.hear(HOLD_SECONDS)
    caller.leave()
    return heard


async def hoard_bodies(addresses: Sequence[Address], draw: random.Random) -> Counter[str]:
    """Bodies of megabytes that are never whole: all of them are held until the time for a body is over."""
    return await _all(_hoard_body(draw.choice(addresses)) for _ in range(NUM_HOARDERS))


async def _hoard_body(address: Address) -> str:
    caller = await Caller.connect(address)
    head, _, body = encode("POST", "/tag", b" " * HOARDED_BYTES).partition(b"\r\n\r\n")
    caller.send(head + b"\r\n\r\n" + body[:-1])
    heard = await caller.hear(HOLD_SECONDS)
    caller.reset()
    return heard


async def _all(callers: Iterable[Awaitable[str]]) -> Counter[str]:
    """How often each thing happened."""
    happened = await asyncio.gather(*callers, return_exceptions=True)
    return Counter(type(each).__name__ if isinstance(each, BaseException) else each for each in happened)


def _encode(ask: Ask) -> bytes:
    return ask.encode("nuisance", {})

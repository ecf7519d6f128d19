"""The requests of well-behaved clients, and their right answers, recorded before anything goes wrong."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.chaos.wire import Answer, Connection, encode
from bench.client import Address

SENTENCES = Path(__file__).parents[1] / "sentences.txt"
ID_HEADER, TIMEOUT_HEADER, PRIORITY_HEADER = "x-request-id", "x-request-timeout-ms", "x-priority"
DEADLINES_MS = ("400", "1500", "5000")
DEADLINE_SHARE = 0.15  # of requests that say how long they wait
LANGUAGES = ("es", "de", "fr")
DEGRADED_MARK = b'"degraded":true'  # of a sentence that there was no time to translate twice
_SEED = 5
_MODEL = re.compile(rb'"model":\{"name":"([^"]*)","version":"([^"]*)"\}')


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ask:
    """A request that is sent over and over; ``name`` says what it is to people."""

    name: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    pinned: str = ""  # the only version that may answer

    def encode(self, request_id: str, headers: Mapping[str, str]) -> bytes:
        return encode("POST", self.path, self.body, {ID_HEADER: request_id, **self.headers, **headers})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer without what may differ between two right ones."""

    content: bytes  # the body without the model's version; a stream's events in one order
    model: str
    version: str


class NotAnAnswerError(Exception):
    """A 200 that is not what it claims to be."""


class StreamEndedError(Exception):
    """A stream whose last event is a problem; the message is its document."""


def make_asks() -> list[Ask]:
    """Single sentences, batches and streams for every task; the same on every run."""
    draw = random.Random(_SEED)
    lines = SENTENCES.read_text("utf-8").splitlines()
    return [
        *(_ask("tag one", "/tag", [line]) for line in draw.sample(lines, 16)),
        *(_ask("tag 24", "/tag", draw.sample(lines, 24), priority="bulk") for _ in range(4)),
        *(_ask("classify one", "/classify", [line]) for line in draw.sample(lines, 16)),
        *(_ask("classify 16", "/classify", draw.sample(lines, 16), priority="bulk") for _ in range(3)),
        *(_ask("classify review", "/classify", [" ".join(draw.sample(lines, 25))]) for _ in range(3)),
        *(_ask("translate one", "/translate", [line], **_wish(draw)) for line in draw.sample(lines, 14)),
        *(_ask("translate 6", "/translate", draw.sample(lines, 6), **_wish(draw)) for _ in range(3)),
        *(_ask("stream 5", "/translate", draw.sample(lines, 5), stream=True, **_wish(draw)) for _ in range(5)),
    ]


def pinned_asks(version: str) -> list[Ask]:
    """By full name: other versions may come and go."""
    draw = random.Random(_SEED)
    lines = SENTENCES.read_text("utf-8").splitlines()
    asks = [_ask("tag pinned", "/tag", [line], model=f"en-tagger@{version}") for line in draw.sample(lines, 3)]
    return [replace(ask, pinned=version) for ask in asks]


def _wish(draw: random.Random) -> dict[str, object]:
    return {"target": draw.choice(LANGUAGES), "beam_size": draw.choice([1, 4])}


def _ask(name: str, path: str, texts: Sequence[str], priority: str | None = None, **wishes: object) -> Ask:
    body = json.dumps({"text": list(texts), **wishes}, ensure_ascii=False).encode()
    return Ask(name=name, path=path, body=body, headers={PRIORITY_HEADER: priority} if priority else {})


def large_ask() -> Ask:
    """The one with the longest answer: hundreds of kilobytes. For those who read slowly."""
    lines = SENTENCES.read_text("utf-8").splitlines()
    return _ask("tag 128", "/tag", lines[:128])


def long_stream() -> Ask:
    lines = SENTENCES.read_text("utf-8").splitlines()
    return _ask("stream 24", "/translate", lines[:24], target="es", stream=True)


def draw_headers(draw: random.Random) -> dict[str, str]:
    """A deadline, now and then."""
    return {TIMEOUT_HEADER: draw.choice(DEADLINES_MS)} if draw.random() < DEADLINE_SHARE else {}


def read_reply(answer: Answer) -> Reply:
    """The content and model of an answer with 200. Raises NotAnAnswerError or StreamEndedError."""
    content = answer.body
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        content = b"\n\n".join(_events(content))
    found = _MODEL.search(content)
    if found is None:
        raise NotAnAnswerError("a 200 without a model")
    return Reply(content=_MODEL.sub(rb"", content), model=found[1].decode(), version=found[2].decode())


def _events(content: bytes) -> Iterator[bytes]:
    """Sentences come in the order in which they are finished, which is one of chance; ``done`` is last."""
    *sentences, last = content.rstrip(b"\n").split(b"\n\n")
    if last.startswith(b"event: error\ndata:"):
        raise StreamEndedError(last.partition(b"data:")[2].decode())
    if not last.startswith(b"event: done\n"):
        raise NotAnAnswerError(f"a stream that ends with {last.partition(b'data:')[0].decode()!r}")
    yield from sorted(sentences)
    yield last


async def record(address: Address, asks: Sequence[Ask]) -> dict[Ask, Reply]:
    """The right answers: each asked alone. Raises RuntimeError if one is refused."""
    connection = await Connection.open(address)
    replies = {}
    for number, ask in enumerate(asks):
        answer = await connection.ask(ask.encode(f"record-{number}", {}))
        if answer.status != 200:
            raise RuntimeError(f"{ask.name}: {answer.status} {answer.body.decode(errors='replace')}")
        replies[ask] = read_reply(answer)
    connection.close()
    return replies

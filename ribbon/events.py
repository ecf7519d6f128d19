"""Server-sent events of /translate and /generate: bytes to typed values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from ribbon.answers import DoneEvent, Problem, RefusedEvent, SentenceEvent
from ribbon.errors import UnreachableError, error_of
from ribbon.language_answers import SampleEvent, TokenEvent

Event = TypeVar("Event")

TRANSLATE_EVENTS: Mapping[str, type[SentenceEvent | RefusedEvent]] = {
    "sentence": SentenceEvent,
    "refused": RefusedEvent,
}
GENERATE_EVENTS: Mapping[str, type[TokenEvent | SampleEvent | RefusedEvent]] = {
    "token": TokenEvent,
    "sample": SampleEvent,
    "refused": RefusedEvent,
}


class RawEvent(NamedTuple):
    """Name and data of an event, as they were sent."""

    name: str
    data: bytes


class EventParser:
    """Cuts a stream of bytes into events, wherever the pieces begin and end.

    Lines end with a line feed alone: other characters that some readers take for line ends may stand in the data.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, content: bytes) -> Iterator[RawEvent]:
        """Yield the events that are complete now."""
        *blocks, self._rest = (self._rest + content).split(b"\n\n")
        for block in blocks:
            fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n"))
            if b"data" in fields:
                yield RawEvent(fields.get(b"event", b"message").decode(), fields[b"data"])


class EventReader(Generic[Event]):
    """Reads the events of one stream until it is done."""

    def __init__(self, types: Mapping[str, type[Event]]) -> None:
        self._types = types
        self._parser = EventParser()
        self._is_done = False

    def feed(self, content: bytes) -> Iterator[Event]:
        """Yield the events that are complete now. Raises the error that ends a stream."""
        for name, data in self._parser.feed(content):
            if name == "error":
                raise error_of(msgspec.json.decode(data, type=Problem))
            if name == "done":
                msgspec.json.decode(data, type=DoneEvent)
                self._is_done = True
            elif name in self._types:  # a later service may send others
                yield msgspec.json.decode(data, type=self._types[name])

    def check_done(self) -> None:
        """Raise UnreachableError if the stream broke off."""
        if not self._is_done:
            raise UnreachableError("the connection closed before the stream was done")

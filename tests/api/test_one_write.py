"""How an answer's parts reach the transport."""

from __future__ import annotations

from typing import Any, cast

import pytest

from service.api.one_write import OneWrite

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Wire:
    """A transport."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        assert not self.is_closed
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


@pytest.fixture
def wire() -> Wire:
    return Wire()


def answer_on(wire: Wire, told: list[str] | None = None) -> OneWrite:
    return OneWrite(cast("Any", wire), lambda: (told if told is not None else []).append("complete"))


def test_a_head_waits_for_its_body(wire: Wire) -> None:
    answer = answer_on(wire)
    answer.write(HEAD)
    assert wire.written == []
    answer.write(b"abc")
    assert wire.written == [HEAD + b"abc"]


def test_a_body_in_parts_is_written_as_it_comes(wire: Wire) -> None:
    answer = answer_on(wire)
    for part in (HEAD, b"a", b"b", b"c\r\ncontent-length:"):
        answer.write(part)
    assert wire.written == [HEAD + b"a", b"b", b"c\r\ncontent-length:"]


def test_the_head_of_a_stream_waits_for_nothing(wire: Wire) -> None:
    answer = answer_on(wire)
    answer.write(STREAM)
    answer.write(b"1\r\na\r\n")
    assert wire.written == [STREAM, b"1\r\na\r\n"]


def test_a_head_without_a_body_is_written_when_the_answer_is_complete(wire: Wire) -> None:
    told: list[str] = []
    answer = answer_on(wire, told)
    answer.write(HEAD)
    answer.complete()
    assert (wire.written, told) == ([HEAD], ["complete"])


def test_what_was_begun_is_written_before_the_end(wire: Wire) -> None:
    answer = answer_on(wire)
    answer.write(HEAD)
    answer.close()
    assert (wire.written, answer.is_closing()) == ([HEAD], True)

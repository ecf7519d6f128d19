"""Server-sent events: cut anywhere, whatever the text holds, and streams that end badly."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ribbon.errors import CapacityError, UnreachableError
from ribbon.events import GENERATE_EVENTS, EventReader
from ribbon.language_answers import TokenEvent

DONE = b'event: done\ndata: {"model":{"name":"m","version":"1"}}\n\n'
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5)


def event_of(text: str) -> bytes:
    data = msgspec.json.encode(TokenEvent(item=0, sample=0, text=text, logprob=-1.0))
    return b"event: token\ndata: %b\n\n" % data


@given(TEXTS, st.lists(st.integers(0, 600), max_size=6))
def test_events_are_the_same_however_the_bytes_are_cut(texts: list[str], cuts: list[int]) -> None:
    content = b"".join(map(event_of, texts)) + DONE
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    reader = EventReader(GENERATE_EVENTS)
    pieces = [content[start:end] for start, end in pairwise(places)]
    events = [event for piece in pieces for event in reader.feed(piece)]
    assert [event.text for event in events if isinstance(event, TokenEvent)] == texts
    reader.check_done()


def test_characters_that_some_take_for_line_ends_stay_in_their_text() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x1cf"
    (event,) = EventReader(GENERATE_EVENTS).feed(event_of(text))
    assert isinstance(event, TokenEvent)
    assert event.text == text


def test_events_of_a_later_service_and_comments_are_passed_over() -> None:
    reader = EventReader(GENERATE_EVENTS)
    assert list(reader.feed(b': heartbeat\n\nevent: later\ndata: {"x":1}\n\n' + DONE)) == []
    reader.check_done()


def test_a_problem_in_a_stream_is_raised() -> None:
    data = b'{"type":"t","title":"T","status":503,"detail":"it ends","kind":"not_ready","request_id":"1"}'
    with pytest.raises(CapacityError, match="it ends"):
        list(EventReader(GENERATE_EVENTS).feed(b"event: error\ndata: %b\n\n" % data))


def test_a_stream_without_its_end_broke_off() -> None:
    reader = EventReader(GENERATE_EVENTS)
    list(reader.feed(event_of("a")))
    with pytest.raises(UnreachableError, match="before the stream was done"):
        reader.check_done()

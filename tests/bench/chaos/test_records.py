from __future__ import annotations

import json

import pytest

from bench.chaos.asks import Reply, read_reply
from bench.chaos.pulse import Pulse
from bench.chaos.records import Entry, Fate, Kill, Reign, attribute, check_versions, close, count
from bench.chaos.wire import Answer

MODEL = b'"model":{"name":"en-tagger","version":"1.0.0"}'
BODY = b'{%s,"results":[1]}' % MODEL
RIGHT = Reply(content=b'{,"results":[1]}', model="en-tagger", version="1.0.0")


def answer(status: int = 200, body: bytes = BODY, **headers: str) -> Answer:
    named = {"x-request-id": "one", "content-type": "application/json"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=body, keep_alive=True)


def problem(status: int, kind: str, **headers: str) -> Answer:
    body = json.dumps({"kind": kind}).encode()
    return answer(status, body, content_type="application/problem+json", **headers)


def never_late(_: float, __: float) -> float:
    return 0.0


def entry(*, sent_at: float = 0.0, ended_at: float = 1.0, fate: Fate = Fate.LOST, instance: str = "a") -> Entry:
    return Entry(
        request_id="one",
        name="tag",
        target="proxy",
        sent_at=sent_at,
        ended_at=ended_at,
        fate=fate,
        instance=instance,
        model="en-tagger",
        version="1.0.0",
    )


def stream(*events: bytes) -> Answer:
    return answer(body=b"\n\n".join(events) + b"\n\n", content_type="text/event-stream")


FIRST, SECOND, DONE = b"event: sentence\ndata: {1}", b"event: sentence\ndata: {2}", b"event: done\ndata: {%s}" % MODEL


@pytest.mark.parametrize(
    ("came", "fate"),
    [
        (answer(), Fate.RIGHT),
        (answer(body=BODY.replace(b"1.0.0", b"1.1.0")), Fate.RIGHT),
        (answer(body=BODY.replace(b"[1]", b"[2]")), Fate.WRONG),
        (answer(body=BODY[:-1]), Fate.WRONG),
        (answer(body=BODY.replace(b"en-tagger", b"en-other")), Fate.WRONG),
        (answer(body=b"{}"), Fate.WRONG),
        (answer(x_request_id="two"), Fate.WRONG),
        (problem(429, "overloaded", retry_after="1"), Fate.REFUSED),
        (problem(503, "not_ready", retry_after="1"), Fate.REFUSED),
        (problem(504, "deadline_exceeded"), Fate.REFUSED),
        (problem(429, "overloaded"), Fate.WRONG),  # does not say when to come again
        (problem(503, "no_instance", retry_after="1"), Fate.LOST),  # the proxy's own
        (problem(502, "instance_failed"), Fate.LOST),
        (problem(500, "internal_error"), Fate.WRONG),
        (problem(422, "invalid_request"), Fate.WRONG),
        (answer(404, b"no"), Fate.WRONG),
    ],
)
def test_what_came_back_decides(came: Answer, fate: Fate) -> None:
    written = entry()
    close(written, came, RIGHT, at=2.5)
    assert (written.fate, written.status, written.ended_at) == (fate, came.status, 2.5)


def test_the_sentences_of_a_stream_may_come_in_any_order() -> None:
    assert read_reply(stream(FIRST, SECOND, DONE)) == read_reply(stream(SECOND, FIRST, DONE))
    assert read_reply(stream(FIRST, DONE)) != read_reply(stream(FIRST, SECOND, DONE))


@pytest.mark.parametrize(
    ("last", "fate"),
    [
        (b'event: error\ndata: {"kind":"deadline_exceeded"}', Fate.REFUSED),
        (b'event: error\ndata: {"kind":"model_failed"}', Fate.WRONG),
        (SECOND, Fate.WRONG),
    ],
)
def test_a_stream_may_end_with_an_honest_refusal_and_with_nothing_else(last: bytes, fate: Fate) -> None:
    written = entry()
    close(written, stream(FIRST, last), read_reply(stream(FIRST, SECOND, DONE)), at=1.0)
    assert written.fate is fate


def degraded_of(*events: bytes) -> Fate:
    written = entry()
    close(written, stream(*events, DONE), read_reply(stream(FIRST, SECOND, DONE)), at=1.0)
    return written.fate


def test_a_sentence_may_differ_if_it_says_that_it_is_degraded_and_no_other_may() -> None:
    other = b"event: sentence\ndata: {3}"
    degraded = b'event: sentence\ndata: {3,"degraded":true}'
    assert degraded_of(FIRST, degraded) is Fate.DEGRADED
    assert degraded_of(FIRST, other) is Fate.WRONG
    assert degraded_of(other, degraded) is Fate.WRONG
    assert degraded_of(degraded) is Fate.WRONG


def kill(*, connections: int = 2, at: float = 10.0, until: float = 10.0) -> Kill:
    return Kill(instance="a", pid=1, at=at, connections=connections, until=until, replaced_at=until)


@pytest.mark.parametrize(
    ("lost", "fate"),
    [
        (entry(sent_at=9, ended_at=10.1), Fate.KILLED),
        (entry(sent_at=9, ended_at=9.5), Fate.LOST),  # before it
        (entry(sent_at=9, ended_at=13), Fate.LOST),  # long after it
        (entry(sent_at=10.5, ended_at=10.6), Fate.LOST),  # sent when it was over
        (entry(sent_at=9, ended_at=10.1, instance="b"), Fate.LOST),  # by another
        (entry(sent_at=9, ended_at=10.1, instance=""), Fate.KILLED),  # nobody knows by whom
        (entry(sent_at=9, ended_at=10.1, fate=Fate.WRONG), Fate.WRONG),
    ],
)
def test_a_kill_explains_what_was_on_its_way_then(lost: Entry, fate: Fate) -> None:
    attribute([lost], [kill()], never_late)
    assert lost.fate is fate


def test_a_kill_explains_no_more_than_its_process_had_connections() -> None:
    lost = [entry(sent_at=9, ended_at=10.1) for _ in range(3)]
    attribute(lost, [kill(connections=2)], never_late)
    assert [each.fate for each in lost] == [Fate.KILLED, Fate.KILLED, Fate.LOST]


def test_a_late_machine_writes_down_later_what_failed_of_a_kill() -> None:
    pulse = Pulse()
    pulse.late.append((10.2, 14.2))
    late = [entry(sent_at=10.5, ended_at=14.3), entry(sent_at=9, ended_at=9.5), entry(sent_at=9, ended_at=18)]
    attribute(late, [kill(connections=3)], pulse.lag_between)
    assert [each.fate for each in late] == [Fate.KILLED, Fate.LOST, Fate.LOST]


def test_a_single_process_fails_requests_until_it_is_back() -> None:
    lost = entry(sent_at=12, ended_at=12.1)
    attribute([lost], [kill(until=15.0)], never_late)
    assert lost.fate is Fate.KILLED


@pytest.mark.parametrize(
    ("since", "until", "fate"), [(0.0, 5.0, Fate.RIGHT), (0.5, 0.6, Fate.RIGHT), (2.0, 5.0, Fate.WRONG)]
)
def test_an_answer_of_a_version_that_was_not_served_then_is_wrong(since: float, until: float, fate: Fate) -> None:
    written = entry(fate=Fate.RIGHT)
    check_versions([written], [Reign(instance="a", model="en-tagger", version="1.0.0", since=since, until=until)])
    assert written.fate is fate


def test_who_asks_for_a_version_gets_no_other() -> None:
    right, wrong = entry(fate=Fate.RIGHT), entry(fate=Fate.RIGHT)
    right.pinned, wrong.pinned = "1.0.0", "1.1.0"
    check_versions([right, wrong], [])
    assert [right.fate, wrong.fate] == [Fate.RIGHT, Fate.WRONG]


def test_the_count_names_every_fate() -> None:
    assert count([entry(), entry(fate=Fate.RIGHT)]) == {
        "right": 1,
        "degraded": 0,
        "refused": 0,
        "killed": 0,
        "wrong": 0,
        "lost": 1,
    }

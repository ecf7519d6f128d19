"""What is counted of an overload, and what is left after departures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench.client import Address, Request, encode_request, text_request
from bench.cores import apart
from bench.machine import this_machine
from bench.mixture import BATCH, SINGLE, Mixture
from bench.open_loop import Arrival
from bench.overload import WARM_UP_SECONDS, Capacity, Overload, Point, summary
from bench.overload_picture import draw
from bench.overload_report import failures, print_overload, write_overload
from bench.storm import Reply, Storm, storm
from tests.bench.conftest import Serve

SINGLES = [text_request("/tag", ["one"], num_words=1)]
BATCHES = [text_request("/tag", ["one", "two"], num_words=100)]
CAPACITY = Capacity(mixture=10, single=100, batch=5)


def reply(status: int, seconds: float, *, kind: str = SINGLE, at: float = WARM_UP_SECONDS) -> Reply:
    request = SINGLES[0] if kind == SINGLE else BATCHES[0]
    return Reply(Arrival(at=at, kind=kind, request=request), status, seconds, 0.001)


def point_of(*replies: Reply) -> Point:
    return summary(
        Storm(replies=list(replies), seconds=2.0, client_cpu_seconds=0.2),
        CAPACITY,
        load=3,
        seconds=2.0,
        deadline_seconds=0.5,
        memory=(100.0, 101.0),
        service_cpu_share=1.5,
    )


def test_only_what_is_answered_within_the_deadline_is_good() -> None:
    point = point_of(
        reply(200, 0.1),
        reply(200, 0.6),
        reply(200, 0.4, kind=BATCH),
        reply(429, 0.003, kind=BATCH),
        reply(504, 0.5),
        reply(200, 0.1, at=0.0),  # in the warm-up
    )
    assert (point.goodput_requests, point.goodput_tokens) == (1, 50.5)
    assert point.goodput_work == pytest.approx((1 / 100 + 1 / 5) / 2)
    assert (point.num_late, point.refused) == (1, 0.5)
    assert point.refused_p99 == pytest.approx(2)
    assert point.let_in == {SINGLE: 2 / 3, BATCH: 1 / 2}
    assert point.statuses == {200: 3, 429: 1, 504: 1}


def test_a_mixture_has_its_shares_and_its_deadline() -> None:
    mixture = Mixture(singles=SINGLES, batches=BATCHES, single_share=0.25)
    kinds = [arrival.kind for arrival in mixture.schedule(rate=1000, seconds=4, seed=1)]
    assert 0.2 <= kinds.count(SINGLE) / len(kinds) <= 0.3
    assert len(mixture.shuffled()) == 1000
    [patched] = mixture.within(500).singles
    head, _, body = patched.content.partition(b"\r\n\r\n")
    assert b"x-request-timeout-ms: 500" in head
    assert body == SINGLES[0].content.partition(b"\r\n\r\n")[2]
    assert (patched.num_words, patched.num_items) == (1, 1)


def test_a_storm_notes_every_answer_and_does_not_wait_for_one_to_send_the_next(serve: Serve) -> None:
    broken = Request(content=encode_request("POST", "/elsewhere"), num_words=1)
    arrivals = [Arrival(at=0.01 * place, kind=SINGLE, request=SINGLES[0]) for place in range(4)]
    found = storm(serve(0.05), [*arrivals, Arrival(at=0.04, kind=BATCH, request=broken)], num_connections=8)
    assert sorted(each.status for each in found.replies)[:4] == [200] * 4
    assert len(found.replies) == 5
    assert max(each.status for each in found.replies) > 200
    assert found.num_held == 0
    assert all(each.seconds >= 0.05 for each in found.replies if each.status == 200)


def test_those_who_find_no_connection_are_charged_for_it(address: Address) -> None:
    arrivals = [Arrival(at=0.0, kind=SINGLE, request=SINGLES[0])] * 3
    assert storm(address, arrivals, num_connections=1).num_held == 2


def test_the_report_names_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = [point_of(reply(200, 0.1), reply(429, 0.002)), point_of(reply(200, 0.2), reply(500, 0.1))]
    overload = Overload(title="tiny", deadline_ms=500, single_share=0.5, capacity=CAPACITY, points=points)
    assert failures(overload) == {500: 1}
    print_overload(overload)
    assert "failures: {500: 1}" in capsys.readouterr().out
    write_overload(this_machine(), [overload], tmp_path / "overload.json")
    written = json.loads((tmp_path / "overload.json").read_text())
    assert written["models"][0]["points"][0]["goodput_tokens"] == points[0].goodput_tokens
    assert draw([overload], tmp_path / "overload.png") == (tmp_path / "overload.png").exists()


def test_client_and_service_are_kept_apart_and_put_together_again() -> None:
    before = os.sched_getaffinity(0)
    with apart(None) as go_away:
        go_away()
        assert os.sched_getaffinity(0) == before
    for num_cores in (0, len(before)):
        with pytest.raises(ValueError, match="the service can have"), apart(num_cores):
            pass
    if len(before) > 1:
        with apart(1) as go_away:
            services = os.sched_getaffinity(0)
            go_away()
            assert os.sched_getaffinity(0) == before - services
            assert len(services) == 1
    assert os.sched_getaffinity(0) == before

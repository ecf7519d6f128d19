from __future__ import annotations

import csv
import json
from argparse import Namespace

import pytest

from bench.load.outcome import conclude, write_down
from bench.load.patterns import Ramp, overload, steady
from bench.load.tally import Fate, Tally
from tests.bench.load.test_patterns import play, sent

OPTIONS = Namespace(pattern="steady", slo=500.0, slo_share=0.99, least_rate=0.0)


def options(**choices: object) -> Namespace:
    return Namespace(**{**vars(OPTIONS), **choices})


def tally_of(*requests, slo: float = 500.0) -> Tally:
    return Tally(slo_milliseconds=slo, sent=list(requests))


def test_all_in_time_is_met():
    outcome = conclude(tally_of(*(sent(i / 10) for i in range(100))), steady(10.0, 10.0), OPTIONS)
    assert outcome.is_met
    assert outcome.steps[0].good == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (sent(5.0, fate=Fate.FAILED), "1 requests failed"),
        *((sent(5.0, fate=fate), "within 500 ms") for fate in (Fate.REFUSED, Fate.LATE)),
        (sent(5.0, milliseconds=501.0), "within 500 ms"),
    ],
)
def test_what_is_not_in_time_is_counted(bad, reason):
    requests = [*(sent(i / 10) for i in range(50)), bad]
    outcome = conclude(tally_of(*requests), steady(10.0, 10.0), OPTIONS)
    assert not outcome.is_met
    assert reason in outcome.reasons[0]
    assert any(reason in line for line in outcome.lines)


def test_overload_must_not_cost_goodput():
    pattern = overload(100.0, 20.0)
    met = conclude(play(pattern, capacity=110.0), pattern, options(pattern="overload"))
    assert met.is_met
    collapsing = [each for each in play(pattern, capacity=110.0).sent if each.due < 15.0 or each.fate is Fate.REFUSED]
    outcome = conclude(tally_of(*collapsing), pattern, options(pattern="overload"))
    assert "goodput at" in outcome.reasons[0]


def test_a_ramp_must_find_as_much_as_is_asked_for():
    ramp = Ramp(rate=50.0, most_seconds=200.0)
    tally = play(ramp, capacity=100.0)
    assert conclude(tally, ramp, options(pattern="ramp", least_rate=80.0)).is_met
    assert not conclude(tally, ramp, options(pattern="ramp", least_rate=200.0)).is_met


def test_a_late_client_is_named():
    requests = [sent(i / 10, lag=50.0) for i in range(100)]
    outcome = conclude(tally_of(*requests), steady(10.0, 10.0), OPTIONS)
    assert "THE CLIENT WAS LATE" in outcome.verdict


def test_statuses_have_their_fates():
    assert [Fate.of(status) for status in (200, 429, 503, 504, 500, 422, 0)] == [
        Fate.ANSWERED,
        Fate.REFUSED,
        Fate.REFUSED,
        Fate.LATE,
        Fate.FAILED,
        Fate.FAILED,
        Fate.FAILED,
    ]


def test_it_is_written_down_for_programs_and_for_people(tmp_path):
    tally = tally_of(*(sent(i / 10, fate=Fate.REFUSED if i == 7 else Fate.ANSWERED) for i in range(30)))
    write_down(conclude(tally, steady(10.0, 3.0), OPTIONS), tally, tmp_path)
    rows = list(csv.DictReader((tmp_path / "load.csv").read_text("utf-8").splitlines()))
    assert [row["offered"] for row in rows] == ["10.0"] * 3
    assert [row["refused"] for row in rows] == ["1", "0", "0"]
    assert json.loads((tmp_path / "load.json").read_text("utf-8"))["is_met"] is False
    assert "Not met" in (tmp_path / "load.html").read_text("utf-8")

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bench.chaos import logs
from bench.chaos.clients import Clients
from bench.chaos.instances import Instance
from bench.chaos.logs import Line, NotALineError, Window
from bench.chaos.nuisances import MARKER
from bench.chaos.proxy import CONFIGURATION, Passage, read_passages
from bench.chaos.records import Entry, Fate, Kill
from bench.chaos.resources import Holdings, compare, holdings_of
from bench.chaos.stage import Stage
from bench.chaos.verdict import judge, judge_logs, total

AT = "2026-01-02T03:04:05.000+00:00"
SECONDS = 1767323045.0


def held(role: str = "worker", **changes: object) -> Holdings:
    usual = dict(
        instance="a",
        role=role,
        pid=1,
        resident_mb=100.0,
        proportional_mb=60.0,
        descriptors=20,
        connections=0,
        abandoned=0,
        threads=5,
    )
    return Holdings(**(usual | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"resident_mb": 140.0}, "resident"),
        ({"descriptors": 40}, "descriptors"),
        ({"threads": 12}, "threads"),
        ({"connections": 1}, "nobody is there"),
    ],
)
def test_whatever_grew_is_named(changes: dict[str, float], word: str) -> None:
    [reason] = compare([held()], [held(**changes)])
    assert word in reason


def test_what_stayed_the_same_or_shrank_is_well() -> None:
    assert compare([held()], [held(), held(pid=2, resident_mb=50.0, threads=1)]) == []
    assert compare([held(connections=3)], [held()]) == []


def test_a_process_is_compared_with_those_of_its_role() -> None:
    before = [held("main", resident_mb=300.0), held()]
    assert compare(before, [held("main", resident_mb=300.0)]) == []
    assert len(compare(before, [held(resident_mb=300.0)])) == 1


def test_this_very_process_can_be_read() -> None:
    me = holdings_of("me", os.getpid())[0]
    assert me.role == "main"
    assert me.resident_mb > me.proportional_mb / 2 > 0
    assert me.descriptors > 2
    assert me.threads >= 1


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def record(level: str, **fields: object) -> dict[str, object]:
    return {"time": AT, "level": level, "message": "something", **fields}


def test_errors_need_an_explanation_and_all_lines_must_be_records(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", record("info"), record("error"), "Traceback (most recent call last):")
    [error, line] = logs.faults("a", path, [], [])
    assert "nothing explains" in error
    assert "not a log record" in line
    window = Window(instance="a", since=SECONDS - 1, until=SECONDS + 1)
    assert len(logs.faults("a", path, [window], [])) == 1
    assert len(logs.faults("b", path, [window], [])) == 2


def test_nobodys_text_may_stand_in_a_log(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", record("info", said=f"{MARKER} it was"))
    assert len(logs.faults("a", path, [], ["and another text"])) == 1
    assert len(logs.faults("a", path, [], ["it was"])) == 2


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", record("error"))
    path.write_text(path.read_text() + '{"time": "20')
    [line] = logs.read(path)
    assert isinstance(line, Line)
    assert line.at == SECONDS
    assert logs.errors_since(path, SECONDS + 1) == []


def stage_of(*entries: Entry, late: tuple[float, float] | None = None) -> Stage:
    clients = Clients([], {}, seed=1)
    clients.entries += entries
    stage = Stage(instances={}, proxy=None, targets={}, clients=clients, shipped={}, versions={})
    stage.pulse.late += [] if late is None else [late]
    return stage


def entry(fate: Fate, status: int, **changes: object) -> Entry:
    usual = dict(request_id="1", name="tag one", target="a", instance="a", sent_at=1.0, ended_at=1.1)
    return Entry(fate=fate, status=status, **(usual | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "has_deadline", "late", "fails"),
    [
        (429, False, None, True),
        (429, True, None, False),
        (429, False, (-3.0, -1.0), False),  # shortly before
        (429, False, (-30.0, -28.0), True),  # long before
        (503, True, (-3.0, -1.0), True),
    ],
)
def test_a_restart_refuses_nothing_unless_the_machine_was_late(
    status: int, has_deadline: bool, late: tuple[float, float] | None, fails: bool
) -> None:
    right = [entry(Fate.RIGHT, 200) for _ in range(2)]
    stage = stage_of(entry(Fate.REFUSED, status, has_deadline=has_deadline), *right, late=late)
    stage.restarts.append((0.0, 5.0))
    assert any(reason.of == "no request fails in a rolling restart" for reason in judge(stage)) is fails


@pytest.mark.parametrize(("answered_at", "is_missed"), [(5.0, True), (9.9, False)])
def test_a_line_may_be_lost_with_a_killed_process_only(tmp_path: Path, answered_at: float, is_missed: bool) -> None:
    answered = entry(Fate.RIGHT, 200, ended_at=answered_at)
    stage = stage_of(answered)
    stage.kills.append(Kill(instance="a", pid=1, at=10.0, connections=1, until=10.0, replaced_at=11.0))
    instance = SimpleNamespace(name="a", lives=[SimpleNamespace(log=write(tmp_path / "a.log"))])
    missed = [reason.of for reason in judge_logs(cast("Instance", instance), [answered], stage, [])]
    assert missed == (["every answer has its log line"] if is_missed else [])


def test_answers_are_found_by_id(tmp_path: Path) -> None:
    lines = [record("info", request_id="one", status=200), record("info", request_id="two", status=429), record("info")]
    assert logs.answered_ids(write(tmp_path / "a.log", *lines)) == {"one"}


@pytest.mark.parametrize("line", ["", "{", "[]", '{"level": "info"}', '{"time": 3, "level": "info", "message": ""}'])
def test_other_lines_are_no_records(line: str) -> None:
    with pytest.raises(NotALineError):
        logs.parse(line)


def test_the_proxys_account_is_read() -> None:
    line = '{"id":"chaos-1","server":"a","status":200,"state":"--","retries":"+1","total_ms":5}'
    assert read_passages(["[NOTICE] up", line]) == {"chaos-1": Passage(server="a", state="--", retries=1)}


def test_the_configuration_that_ships_has_what_the_service_promises_to_be_behind() -> None:
    text = CONFIGURATION.read_text("utf-8")
    for line in ("option httpchk GET /health/ready", "option redispatch", "option http-buffer-request"):
        assert line in text


def test_series_are_summed_by_their_labels() -> None:
    sample = {
        ("n", (("route", "/tag"), ("status", "200"))): 2.0,
        ("n", (("route", "/tag"), ("status", "429"))): 1.0,
        ("m", ()): 5.0,
    }
    assert total(sample, "n") == 3
    assert total(sample, "n", status="200") == 2
    assert total(sample, "absent") == 0

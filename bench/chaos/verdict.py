"""After the run: is every request accounted for, and is everything back to where it was?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from bench.chaos import logs
from bench.chaos.instances import Instance, Life, Sample
from bench.chaos.proxy import Passage
from bench.chaos.pulse import LATE_SECONDS
from bench.chaos.records import (
    DEFECTS,
    KILL_SECONDS,
    PROXY_ALONE,
    SLACK_SECONDS,
    Entry,
    Fate,
    attribute,
    check_versions,
)
from bench.chaos.stage import Stage

AFTERMATH_SECONDS = 10.0  # until queues are empty again and the proxy trusts an instance
ROUTES = ("/tag", "/classify", "/translate")
GAUGES = {
    "ribbon_requests_in_flight": 1.0,  # the scrape itself
    "ribbon_queue_rows": 0.0,
    "ribbon_queue_cells": 0.0,
    "ribbon_queue_oldest_age_seconds": 0.0,
    "ribbon_decoder_live_rows": 0.0,
}
MAX_NAMED = 10  # of many like it
PROXY_TARGET = "proxy"
LEAST_SHARE_RIGHT = 0.5  # or the run says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason for which a run failed."""

    what: str
    of: str  # which promise was broken


def settle(stage: Stage, passages: Mapping[str, Passage]) -> None:
    """Settle the fate of every request, from the records of the clients, the proxy and the schedule."""
    for entry in stage.clients.entries:
        passage = passages.get(entry.request_id)
        if entry.target != PROXY_TARGET:
            entry.instance = entry.target
        elif passage:
            entry.instance, entry.retries = passage.server.strip("<>").replace("NOSRV", ""), passage.retries
            if not entry.instance and entry.detail == PROXY_ALONE and _was_late(entry, stage):
                entry.fate = Fate.REFUSED  # no instance answered the proxy's checks within their two seconds
    attribute(stage.clients.entries, stage.kills, stage.pulse.lag_between)
    check_versions(stage.clients.entries, stage.all_reigns())


def judge(stage: Stage) -> list[Reason]:
    """The reasons to fail that the requests give. Needs :func:`settle`."""
    entries = stage.clients.entries
    broken = {
        "no request lost or wrong": [each for each in entries if each.fate in DEFECTS],
        "nobody is sent to a process that is not ready": [
            each for each in entries if each.status == 503 and each.instance
        ],
        "no request fails in a rolling restart": [each for each in entries if _fails_in_restart(each, stage)],
        "the proxy helps only around kills and restarts": [each for each in entries if _odd_retry(each, stage)],
    }
    return [
        *(Reason(of="while it happened", what=fault) for fault in stage.faults),
        *chain.from_iterable(_named(promise, by) for promise, by in broken.items()),
        *_meaning(entries),
    ]


def _named(promise: str, entries: Sequence[Entry]) -> Iterator[Reason]:
    yield from (Reason(of=promise, what=str(entry)) for entry in entries[:MAX_NAMED])
    if len(entries) > MAX_NAMED:
        yield Reason(of=promise, what=f"and {len(entries) - MAX_NAMED} more")


def _fails_in_restart(entry: Entry, stage: Stage) -> bool:
    """Refused although it would have waited, by a machine that kept up: one that did not is busy anyway. The lost and
    wrong are named anyway."""
    is_honest = entry.status != 503 and (entry.has_deadline or _was_late(entry, stage))
    if entry.fate is not Fate.REFUSED or is_honest:
        return False
    return any(entry.overlaps(since, until) for since, until in stage.restarts)


def _was_late(entry: Entry, stage: Stage) -> bool:
    """Whether the machine stood still while a request was answered, or so shortly before that it was felt still."""
    return stage.pulse.lag_between(entry.sent_at - AFTERMATH_SECONDS, entry.ended_at) > LATE_SECONDS


def _odd_retry(entry: Entry, stage: Stage) -> bool:
    if entry.retries == 0:
        return False
    lags = [stage.pulse.lag_between(kill.at, entry.ended_at) for kill in stage.kills]
    windows = [
        (kill.at - SLACK_SECONDS - lag, kill.replaced_at + KILL_SECONDS + lag)
        for kill, lag in zip(stage.kills, lags, strict=True)
    ]
    return not any(entry.overlaps(*window) for window in [*windows, *stage.restarts])


def _meaning(entries: Sequence[Entry]) -> Iterator[Reason]:
    num_right = sum(entry.fate is Fate.RIGHT for entry in entries)
    if num_right < LEAST_SHARE_RIGHT * max(1, len(entries)):
        yield Reason(of="most requests are answered", what=f"{num_right} of {len(entries)} were")


def judge_gauges(instance: Instance) -> list[Reason]:
    """The reasons to fail that the gauges of the last sample give."""
    sums = {name: total(instance.life.sample, name) for name in GAUGES}
    return [
        Reason(of="gauges fall back to 0", what=f"{instance.name}: {name} is {value:g}")
        for name, value in sums.items()
        if value > GAUGES[name]
    ]


def total(sample: Sample, name: str, **wanted: str) -> float:
    """The sum of all series of this name whose labels include these."""
    return sum(
        value for (found, labels), value in sample.items() if found == name and wanted.items() <= dict(labels).items()
    )


def judge_counters(instance: Instance, entries: Sequence[Entry]) -> Iterator[Reason]:
    """In each life as many answers as the callers got until its last scrape, at least."""
    for number, life in enumerate(instance.lives):
        got = sum(_answered_in(entry, instance, life) for entry in entries)
        counted = sum(total(life.sample, "ribbon_requests_total", route=route, status="200") for route in ROUTES)
        if counted < got:
            what = f"{instance.name}-{number}: ribbon_requests_total is {counted:g}, callers had {got} answers"
            yield Reason(of="counters agree with the records", what=what)


def _answered_in(entry: Entry, instance: Instance, life: Life) -> bool:
    return (
        entry.instance == instance.name and entry.status == 200 and life.started_at <= entry.ended_at <= life.scraped_at
    )


def judge_logs(instance: Instance, entries: Sequence[Entry], stage: Stage, texts: Sequence[str]) -> Iterator[Reason]:
    """No error that nothing explains; a line for every answer, but for those of a process that was killed before its
    last lines were written."""
    written: set[str] = set()
    for life in instance.lives:
        for fault in logs.faults(instance.name, life.log, stage.windows, texts):
            yield Reason(of="no unexpected log lines", what=fault)
        written |= logs.answered_ids(life.log)
    missing = [each for each in entries if each.instance == instance.name and each.status == 200]
    missing = [each for each in missing if each.request_id not in written]
    lag_between = stage.pulse.lag_between
    missing = [each for each in missing if not any(kill.explains(each, lag_between) for kill in stage.kills)]
    yield from _named("every answer has its log line", missing)

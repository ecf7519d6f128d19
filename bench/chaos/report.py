"""The report at the end of a run: the timeline, the fates of the requests, the resources of the processes, and the
verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from bench.chaos.records import DEFECTS, Entry, Fate, count
from bench.chaos.resources import Holdings
from bench.chaos.stage import Happening, Stage
from bench.chaos.verdict import Reason

AROUND_SECONDS = 1.0
NOTE_WIDTH = 110


def timeline(stage: Stage, started: float) -> list[dict[str, Any]]:
    """The events of a run, with the fates of the requests on their way at the time."""
    return [_row(each, stage.clients.entries, started) for each in sorted(stage.happenings, key=lambda one: one.since)]


def _row(happening: Happening, entries: Sequence[Entry], started: float) -> dict[str, Any]:
    around = [each for each in entries if each.overlaps(happening.since, happening.until + AROUND_SECONDS)]
    fates = Counter(each.fate for each in around)
    return {
        "at": round(happening.since - started, 1),
        "seconds": round(happening.until - happening.since, 1),
        "trouble": str(happening.trouble),
        "target": happening.target,
        "right": fates[Fate.RIGHT],
        "refused": fates[Fate.REFUSED],
        "degraded": fates[Fate.DEGRADED],
        "killed": fates[Fate.KILLED],
        "defects": sum(fates[fate] for fate in DEFECTS),
        "retried": sum(each.retries > 0 for each in around),
        "slowest_ms": round(1000 * max((each.seconds for each in around), default=0.0)),
        "memory_mb": round(happening.memory_mb),
        "note": happening.note,
    }


def print_table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    print(f"\n{title}")
    if not rows:
        print("  nothing")
        return
    columns = list(rows[0])
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[i]) for line in cells)) for i, column in enumerate(columns)]
    for line in [columns, *cells]:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)[:NOTE_WIDTH]


def record_rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """By kind of request, and all."""
    names = sorted({entry.name for entry in entries})
    groups = [*((name, [each for each in entries if each.name == name]) for name in names), ("all", list(entries))]
    return [{"request": name, "sent": len(group), **count(group), **_speed(group)} for name, group in groups]


def _speed(entries: Sequence[Entry]) -> dict[str, int]:
    times = sorted(entry.seconds for entry in entries if entry.fate is Fate.RIGHT)
    if not times:
        return {"p50_ms": 0, "p99_ms": 0}
    return {"p50_ms": round(1000 * times[len(times) // 2]), "p99_ms": round(1000 * times[int(len(times) * 0.99)])}


def refusals(entries: Iterable[Entry]) -> dict[str, int]:
    """By what the service said."""
    return dict(Counter(f"{each.status} {each.detail}" for each in entries if each.fate is Fate.REFUSED))


def resource_rows(before: Sequence[Holdings], after: Sequence[Holdings]) -> Iterator[dict[str, Any]]:
    for moment, held in (("before", before), ("after", after)):
        yield from ({"when": moment, **asdict(each)} for each in sorted(held, key=lambda one: (one.instance, one.pid)))


def print_verdict(reasons: Sequence[Reason]) -> None:
    for reason in reasons:
        print(f"  {reason.of}: {reason.what}")
    print("FAIL" if reasons else "PASS")

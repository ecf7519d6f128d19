"""The table of an overload, and its figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.machine import Machine

if TYPE_CHECKING:
    from bench.overload import Overload, Point

EXPECTED = frozenset({200, 429, 503, 504})
HEAD = (
    "load", "offered req/s", "tokens/s", "good req/s", "tokens/s", "of peak", "work", "of peak", "p50", "p99", "late",
    "429/s", "p50", "p99", "MiB", "cores",
)  # fmt: skip
WIDTHS = (6, 14, 10, 11, 10, 8, 6, 8, 7, 7, 5, 8, 6, 6, 10, 12)


def failures(overload: Overload) -> dict[int, int]:
    """The number of answers by status, of those that overload does not explain."""
    found: dict[int, int] = {}
    for point in overload.points:
        for status, number in point.statuses.items():
            if status not in EXPECTED:
                found[status] = found.get(status, 0) + number
    return found


def print_overload(overload: Overload) -> None:
    capacity = overload.capacity
    print(f"\n{overload.title}: {overload.single_share:.0%} single sentences, deadline {overload.deadline_ms} ms")
    print(f"capacity {capacity.mixture:.0f} requests/s (singles {capacity.single:.0f}, batches {capacity.batch:.0f})")
    print(_line(HEAD))
    for point in overload.points:
        print(_line(_cells(point, overload)))
    for point in overload.points:
        let_in = ", ".join(f"{share:.0%} of {kind}" for kind, share in sorted(point.let_in.items()))
        held = f"; {point.num_held} found no connection at once" if point.num_held else ""
        print(f"  {point.load:g}x: {let_in} let in; {point.statuses}; client late {point.p99_lag:.1f} ms (p99){held}")
    print(f"failures: {failures(overload) or 'none'}", flush=True)


def _cells(point: Point, overload: Overload) -> Sequence[str]:
    return (
        f"{point.load:g}x",
        f"{point.offered_requests:,.0f}",
        f"{point.offered_tokens:,.0f}",
        f"{point.goodput_requests:,.0f}",
        f"{point.goodput_tokens:,.0f}",
        f"{point.goodput_tokens / overload.peak_tokens:.0%}",
        f"{point.goodput_work:.2f}",
        f"{point.goodput_work / overload.peak_work:.0%}",
        f"{point.p50:.0f}",
        f"{point.p99:.0f}",
        f"{point.num_late}",
        f"{point.refused:,.0f}",
        f"{point.refused_p50:.1f}",
        f"{point.refused_p99:.1f}",
        f"{point.memory_before:.0f}>{point.memory_after:.0f}",
        f"{point.service_cpu_share:.2f}+{point.client_cpu_share:.2f}",
    )


def _line(cells: Sequence[str]) -> str:
    return " ".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True))


def write_overload(machine: Machine, found: Sequence[Overload], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {"machine": asdict(machine), "models": [asdict(each) for each in found]}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")

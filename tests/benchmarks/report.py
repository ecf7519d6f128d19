"""The figures as a table for people and as JSON for whoever compares runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.latency import Latency, percentile
from tests.benchmarks.machine import Machine
from tests.benchmarks.memory import Memory
from tests.benchmarks.raw import RawSpeed
from tests.benchmarks.throughput import Saturation, Throughput


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    machine: Machine
    bundle: str  # name and version
    seconds_to_ready: float
    raw_sweep: list[RawSpeed]
    throughput: Throughput
    latency: Latency
    memory: Memory | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    what: str
    figure: str
    note: str = ""


def rows_of(report: Report) -> Iterator[Row]:
    """What the table says, top to bottom."""
    yield Row(what="ready after start", figure=f"{report.seconds_to_ready:.2f} s")
    for speed in report.raw_sweep:
        yield Row(
            what=f"raw onnxruntime, {speed.num_rows} rows a batch",
            figure=f"{speed.words_per_second:,.0f} words/s",
        )
    throughput = report.throughput
    best = f"{throughput.raw[0].num_rows} rows a batch, median of {len(throughput.raw)}"
    yield Row(
        what="raw onnxruntime, in turns with HTTP",
        figure=f"{throughput.raw_words_per_second:,.0f} words/s",
        note=best,
    )
    for saturation in throughput.saturations:
        yield _saturation_row(saturation)
    yield from _latency_rows(report.latency)
    if report.memory:
        yield from _memory_rows(report.memory)


def _saturation_row(saturation: Saturation) -> Row:
    service_share = statistics.median(saturation.service_cpu_shares)
    note = (
        f"{saturation.ratio:.2f} of raw; {saturation.requests_per_second:,.0f} requests/s on "
        f"{saturation.num_connections} connections; cores: service {service_share:.2f}, "
        f"client {saturation.client_cpu_share:.2f}"
    )
    if saturation.num_refused:
        note += f"; {saturation.num_refused} refused"
    return Row(
        what=f"HTTP, {saturation.num_items} sentences a request",
        figure=f"{saturation.words_per_second:,.0f} words/s",
        note=note,
    )


def _latency_rows(latency: Latency) -> Iterator[Row]:
    parts = {
        f"one idle request of {latency.num_words} words": latency.total,
        "  its model part (Server-Timing)": latency.model,
        "  the bare network, same row": latency.raw,
    }
    for what, values in parts.items():
        figure = f"{statistics.median(values):.2f} ms"
        yield Row(what=what, figure=figure, note=f"p99 {percentile(values, 99):.2f} ms")
    note = f"over the bare network {latency.over_raw:.2f} ms"
    yield Row(what="  beyond its model part", figure=f"{latency.over_model:.2f} ms", note=note)


def _memory_rows(memory: Memory) -> Iterator[Row]:
    yield Row(what="memory when ready", figure=f"{memory.ready:.0f} MiB")
    note = (
        f"x{memory.growth:.2f}; 128 items of {memory.prose_words_an_item} words of prose, "
        f"of {memory.one_sentence_words_an_item} in one sentence; peak {memory.peak:.0f} MiB"
    )
    yield Row(what="memory after the largest batches", figure=f"{memory.after:.0f} MiB", note=note)


def print_table(report: Report) -> None:
    machine = report.machine
    print(f"{machine.processor}, {machine.num_cores} cores, {machine.memory_gigabytes} GiB, {machine.system}")
    print(f"{report.bundle}; " + ", ".join(f"{name} {version}" for name, version in machine.versions.items()))
    if machine.load_at_start > 0.5:
        print(f"NOT IDLE: the load was {machine.load_at_start} at the start; these figures are too low")
    print()
    for row in rows_of(report):
        print(f"{row.what:<42} {row.figure:>16}   {row.note}".rstrip())


def write_json(report: Report, path: Path) -> None:
    """The table's rows, and every single measurement behind them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"table": [asdict(row) for row in rows_of(report)]} | asdict(report)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")

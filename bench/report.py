"""The figures as a table for people and as JSON for whoever compares runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.latency import Latency, Percentiles, percentile
from bench.machine import Machine
from bench.memory import Memory
from bench.mixed import REVIEW_SHARE, Mixed, Turn
from bench.raw import RawSpeed
from bench.throughput import Saturation, Throughput


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """The figures with one kind of texts."""

    noun: str
    bare: str  # what runs without the service
    raw_sweep: list[RawSpeed]
    throughput: Throughput
    latency: Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures of one model."""

    bundle: str  # name, version and precision
    seconds_to_ready: float
    speeds: list[Speed]
    mixed: Mixed | None
    memory: Memory | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    what: str
    figure: str
    note: str = ""


def rows_of(report: Report) -> Iterator[Row]:
    """The rows of the table, top to bottom."""
    yield Row(what="ready after start", figure=f"{report.seconds_to_ready:.2f} s")
    for speed in report.speeds:
        yield from _speed_rows(speed)
    if report.mixed:
        yield from _mixed_rows(report.mixed)
    if report.memory:
        yield from _memory_rows(report.memory)


def _speed_rows(speed: Speed) -> Iterator[Row]:
    for raw in speed.raw_sweep:
        yield Row(
            what=f"{speed.bare}, {speed.noun}, {raw.num_rows} rows a batch",
            figure=f"{raw.words_per_second:,.0f} words/s",
        )
    throughput = speed.throughput
    yield Row(
        what=f"{speed.bare}, {speed.noun}, in turns with HTTP",
        figure=f"{throughput.raw_words_per_second:,.0f} words/s",
        note=f"{throughput.raw[0].num_rows} rows a batch, median of {len(throughput.raw)}",
    )
    for saturation in throughput.saturations:
        yield _saturation_row(saturation, speed.noun)
    yield from _latency_rows(speed.latency, speed.bare)


def _saturation_row(saturation: Saturation, noun: str) -> Row:
    service_share = statistics.median(saturation.service_cpu_shares)
    note = (
        f"{saturation.ratio:.2f} of raw; {saturation.texts_per_second:,.0f} texts/s in "
        f"{saturation.requests_per_second:,.0f} requests/s on {saturation.num_connections} connections; "
        f"cores: service {service_share:.2f}, client {saturation.client_cpu_share:.2f}"
    )
    if saturation.num_refused:
        note += f"; {saturation.num_refused} refused"
    return Row(
        what=f"HTTP, {noun}, {saturation.num_items} a request",
        figure=f"{saturation.words_per_second:,.0f} words/s",
        note=note,
    )


def _latency_rows(latency: Latency, bare: str) -> Iterator[Row]:
    parts = {
        f"one idle request of {latency.num_words} words": latency.total,
        "  its model part (Server-Timing)": latency.model,
        f"  {bare}, same row": latency.raw,
    }
    for what, values in parts.items():
        figure = f"{statistics.median(values):.2f} ms"
        yield Row(what=what, figure=figure, note=f"p99 {percentile(values, 99):.2f} ms")
    note = f"over the {bare} {latency.over_raw:.2f} ms"
    yield Row(what="  beyond its model part", figure=f"{latency.over_model:.2f} ms", note=note)


def _mixed_rows(mixed: Mixed) -> Iterator[Row]:
    alone = [turn for each in mixed.rounds for turn in (each.alone, each.again)]
    together = [each.mixed for each in mixed.rounds]
    yield Row(
        what=f"mixed traffic, {REVIEW_SHARE:.0%} of it long reviews",
        figure=f"{mixed.rate:,.0f} requests/s",
        note=f"{mixed.rate / mixed.capacity:.2f} of {mixed.capacity:,.0f}/s, which the service does of it at most",
    )
    yield _open_loop_row("  sentences alone", alone, [turn.sentences for turn in alone])
    yield _open_loop_row("  the same sentences in mixed traffic", together, [turn.sentences for turn in together])
    if reviews := [turn.reviews for turn in together if turn.reviews]:
        yield _open_loop_row("  reviews in mixed traffic", together, reviews)
    yield Row(
        what="  p99 of sentences, mixed over alone",
        figure=f"{mixed.ratio:.2f}",
        note=(
            f"rounds {_range([each.ratio for each in mixed.rounds])}; "
            f"alone over alone, by chance, {_range([each.chance for each in mixed.rounds])}"
        ),
    )


def _open_loop_row(what: str, turns: Sequence[Turn], found: Sequence[Percentiles]) -> Row:
    """Medians over the turns."""

    def median(figure: Callable[[Percentiles], float]) -> str:
        return f"{statistics.median(map(figure, found)):.2f} ms"

    service = statistics.median(turn.service_cpu_share for turn in turns)
    client = statistics.median(turn.client_cpu_share for turn in turns)
    lag = statistics.median(turn.p99_lag for turn in turns)
    note = (
        f"p50 {median(lambda each: each.p50)}, p95 {median(lambda each: each.p95)}; "
        f"{statistics.median(each.count for each in found):,.0f} a turn; "
        f"cores: service {service:.2f}, client {client:.2f}; client late by {lag:.2f} ms (p99)"
    )
    if num_held := sum(turn.num_held for turn in turns):
        note += f"; {num_held} found no connection at once"
    if num_refused := sum(turn.num_refused for turn in turns):
        note += f"; {num_refused} refused"
    return Row(what=what, figure="p99 " + median(lambda each: each.p99), note=note)


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def _memory_rows(memory: Memory) -> Iterator[Row]:
    yield Row(what="memory when ready, all models", figure=f"{memory.ready:.0f} MiB")
    largest = ", ".join(f"{each.num_items} items of {each.num_words} words ({each.what})" for each in memory.largest)
    note = f"x{memory.growth:.2f}; {largest}; peak {memory.peak:.0f} MiB"
    yield Row(what="memory after the largest requests", figure=f"{memory.after:.0f} MiB", note=note)


def print_machine(machine: Machine) -> None:
    print(f"{machine.processor}, {machine.num_cores} cores, {machine.memory_gigabytes} GiB, {machine.system}")
    print(", ".join(f"{name} {version}" for name, version in machine.versions.items()))
    if machine.load_at_start > 0.5:
        print(f"NOT IDLE: the load was {machine.load_at_start} at the start; these figures are too low")


def print_table(report: Report) -> None:
    print(f"\n{report.bundle}", flush=True)
    for row in rows_of(report):
        print(f"{row.what:<46} {row.figure:>16}   {row.note}".rstrip(), flush=True)


def write_json(machine: Machine, reports: Sequence[Report], path: Path) -> None:
    """The tables' rows, and the measurements behind them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    models = [{"table": [asdict(row) for row in rows_of(report)]} | asdict(report) for report in reports]
    content = {"machine": asdict(machine), "models": models}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")

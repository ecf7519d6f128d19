"""Ways to decode the same sentences or prompts, measured by turns: tokens a second of each."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import Machine

Ids = tuple[int, ...]
Decode = Callable[[Sequence[Any]], list[Ids]]  # the tokens of each search's best translation, or of each prompt's text
EAGER = "eager"  # the system that is PyTorch
ALONE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to decode all sentences or prompts."""

    system: str
    num_together: int  # sentences or prompts; an engine takes in another as soon as there is room
    decode: Decode
    times: int = 1  # over all of them, lest the end, when fewer and fewer are left, weigh much

    @property
    def name(self) -> str:
        return f"{self.system}, {'one at a time' if self.num_together == ALONE else f'{self.num_together} together'}"


@dataclass(slots=True, kw_only=True)
class Speed:
    """The speed of one way, a figure a round."""

    way: str
    tokens_per_second: list[float] = field(default_factory=list)
    tokens_per_cpu_second: list[float] = field(default_factory=list)  # more, where others took the core meanwhile
    found: list[Ids] = field(default_factory=list, repr=False)

    @property
    def median(self) -> float:
        return statistics.median(self.tokens_per_second)


def measure(ways: Sequence[Way], searches: Sequence[Any], *, rounds: int) -> list[Speed]:
    """Every way in turn, and again; a few sentences or prompts first, to warm up."""
    speeds = [Speed(way=way.name) for way in ways]
    for way in ways:
        way.decode(searches[:8])
    for _ in range(rounds):
        for way, speed in zip(ways, speeds, strict=True):
            measure_once(way, speed, searches)
    return speeds


def measure_once(way: Way, speed: Speed, searches: Sequence[Any]) -> None:
    """One turn of a way; adds its figures to the speed."""
    todo = list(searches) * way.times
    started, cpu_started = time.perf_counter(), time.process_time()
    found = way.decode(todo)
    num_tokens = sum(map(len, found))
    speed.tokens_per_second.append(num_tokens / (time.perf_counter() - started))
    speed.tokens_per_cpu_second.append(num_tokens / (time.process_time() - cpu_started))
    speed.found = found[: len(searches)]


def write_speeds(path: Path, machine: Machine, speeds: Mapping[int, Sequence[Speed]]) -> None:
    """Write every measurement as JSON, by beam size, and print where."""
    content = {"machine": asdict(machine), "speeds": {beam: list(map(asdict, each)) for beam, each in speeds.items()}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    print(f"\nEvery measurement: {path}")

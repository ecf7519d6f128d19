"""Joining at any step and what it is worth: texts of mixed lengths, and a request that comes late."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.client import Connection, Request, encode_request
from bench.process import ServiceProcess
from bench.ways import Ids, Way
from service.decoding.sampler import Sampler
from service.decoding.search import Prompt
from service.decoding.strategy import NumberedSearch, decode_all
from service.predictors.language_model import LanguageModel

STEP, EMPTY = "joining at every step", "joining when all are done"
HEAD_START = 0.02  # seconds that a long request is under way when the late one comes


class RequestLevelSampler(Sampler[NumberedSearch]):
    """A sampler that lets prompts join once all earlier ones are done."""

    @property
    def room(self) -> int:
        return 0 if self.live_rows else super().room


def policy_ways(model: LanguageModel, max_rows: int) -> list[Way]:
    """The service's sampler on this thread, with either policy."""
    classes: dict[str, type[Sampler[Any]]] = {STEP: Sampler, EMPTY: RequestLevelSampler}
    return [
        Way(system=name, num_together=max_rows, decode=_writing(model, sampler_class, max_rows))
        for name, sampler_class in classes.items()
    ]


def _writing(model: LanguageModel, sampler_class: type[Sampler[Any]], max_rows: int) -> Any:
    def write(prompts: Sequence[Prompt]) -> list[Ids]:
        answers = decode_all(sampler_class(model.graphs, max_rows=max_rows), prompts)
        return [tuple(range(samples[0].num_steps)) for samples in answers]  # how many is what is asked

    return write


@dataclass(frozen=True, slots=True, kw_only=True)
class LateJoin:
    """A short request alone, and while a long one is being written; medians."""

    num_tokens: tuple[int, int]  # of the long text and of the short one
    alone: float  # milliseconds
    joined: float  # milliseconds
    long: float  # milliseconds of the long request that it joined
    runs: float  # of the graphs for both

    def __str__(self) -> str:
        long, short = self.num_tokens
        return (
            f"{short} tokens: {self.alone:.1f} ms alone, {self.joined:.1f} ms while {long} are written, "
            f"which took {self.long:.1f} ms; {self.runs:.0f} runs of the graphs for both"
        )


def join_late(service: ServiceProcess, long: Request, short: Request, *, times: int) -> LateJoin:
    """Send the long request, and the short one a moment later on a connection of its own; so many times."""
    rounds = []
    with Connection(service.address) as first, Connection(service.address) as second:
        for _ in range(times):
            alone = _milliseconds_of(second, short)
            runs = decoder_sums(service)[0]
            began = time.perf_counter()
            first.send(long)
            time.sleep(HEAD_START)
            joined = _milliseconds_of(second, short)
            while not first.receive():
                pass
            whole = 1e3 * (time.perf_counter() - began)
            rounds.append((alone, joined, whole, decoder_sums(service)[0] - runs))
    alone, joined, whole, runs = map(statistics.median, zip(*rounds, strict=True))
    return LateJoin(num_tokens=(long.num_words, short.num_words), alone=alone, joined=joined, long=whole, runs=runs)


def _milliseconds_of(connection: Connection, request: Request) -> float:
    began = time.perf_counter()
    answer = connection.ask(request.content)
    if answer.status != 200:
        raise RuntimeError(f"the service answered {answer.status}: {answer.body[:300].decode()}")
    return 1e3 * (time.perf_counter() - began)


def decoder_sums(service: ServiceProcess) -> tuple[float, float]:
    """Runs of the decoder's graphs since the service began, and the rows of all of them."""
    with Connection(service.address) as connection:
        text = connection.ask(encode_request("GET", "/metrics")).body.decode()
    names = ("ribbon_decoder_step_rows_count", "ribbon_decoder_step_rows_sum")
    runs, rows = (sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))) for name in names)
    return runs, rows

"""Compare sentences that join at every step with batches of requests: ``python -m bench.iteration_level``.

The decoder, bundle, threads and trace are the same. Waiting sentences are let in at every step, or once all before them
are done. Compared are the most sentences a second, the p99 at one rate, and the rates at one p99. Either policy answers
a sentence as soon as it is finished, and both drop hypotheses when they end.
"""

from __future__ import annotations

import argparse
import gc
import statistics
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.latency import percentile
from bench.machine import this_machine
from bench.process import ROOT
from bench.report import print_machine
from bench.translation import Lengths, find_translator, open_bare, read_sentences, searches_of
from bench.translation_curve import FULL, Curve, can_take, rates_between
from bench.translation_picture import draw
from bench.translation_report import (
    EMPTY,
    HEADLINE_LOAD,
    STEP,
    Comparison,
    lines_of,
    median_rate,
    write_json,
)
from bench.translation_trace import Saturated, ask_alone, decoding, play, saturate, trace
from bench.workload import SENTENCES
from service.decoding.beam_search import BeamSearch
from service.decoding.decoder import Decoder
from service.decoding.search import Search
from service.models.loading import OpenSession
from service.predictors.translator import Translator
from service.runtime.resources import available_cores
from service.runtime.session import open_session
from service.settings import Settings

WARM_UP_SHARE = 0.15
TIMES_ALONE = 20
LEAST_SENTENCES = 12  # in a turn
LEAST_CAPACITY_SHARE = HEADLINE_LOAD / FULL  # both are measured where both are compared, come what may


class RequestLevelSearch(BeamSearch[Any]):
    """Beam search that lets sentences join once all earlier ones are done."""

    @property
    def room(self) -> int:
        return 0 if self.live_rows else super().room


POLICIES: Mapping[str, type[BeamSearch[Any]]] = {STEP: BeamSearch, EMPTY: RequestLevelSearch}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The conditions that both policies share."""

    num_threads: int
    max_rows: Mapping[str, int]  # of each slot, by policy
    rounds: int
    seconds: float  # of one turn
    slo_milliseconds: float


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.iteration_level", description=__doc__)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--model", default="en-es", help="a translator's name")
    parser.add_argument("--precision", help="default: as the bundle says")
    parser.add_argument("--beams", type=int, nargs="+", default=[4, 1], help="sizes, measured one after the other")
    parser.add_argument("--sentences", type=Path, default=SENTENCES, help="one a line")
    parser.add_argument("--slots", type=int, default=available_cores(), help="threads that decode")
    parser.add_argument("--max-rows", type=int, default=Settings().max_decoder_rows, help="hypotheses of a slot")
    parser.add_argument("--batch-rows", type=int, help="the same for batches of requests; default: as many")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken")
    parser.add_argument("--seconds", type=float, default=4.0, help="of one turn at one rate")
    parser.add_argument("--slo", type=float, default=200.0, help="milliseconds: a fixed p99 to compare at")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "iteration-level.json", help="and .png")
    return parser.parse_args(arguments)


async def compare(translator: Translator, searches: Sequence[Search], conditions: Conditions) -> Comparison:
    """Capacities first; then, rate by rate, a turn of each policy that can take the rate."""
    idle = await _measure_idle(translator, searches, conditions)
    saturated = await _measure_capacities(translator, searches, conditions)
    capacities = {policy: median_rate(loads) for policy, loads in saturated.items()}
    rates = rates_between(step_capacity=capacities[STEP], empty_capacity=capacities[EMPTY])
    latencies: dict[str, dict[float, list[list[float]]]] = {policy: {} for policy in POLICIES}
    lags = []
    for seed in range(conditions.rounds):
        for rate in rates:
            seconds = max(conditions.seconds, LEAST_SENTENCES / rate)
            dues = trace(searches, rate=rate, seconds=seconds, seed=seed)
            for policy in _in_turn(seed):
                if not can_take(rate, max(capacities[policy], LEAST_CAPACITY_SHARE * capacities[EMPTY])):
                    continue
                async with _decoding(translator, conditions, policy) as decoder:
                    played = await play(decoder, dues, warm_up_seconds=WARM_UP_SHARE * seconds)
                latencies[policy].setdefault(rate, []).append(played.latencies)
                lags.append(percentile(played.lags, 99))
    return Comparison(
        beam_size=searches[0].beam_size,
        idle=idle,
        saturated=saturated,
        curves={policy: Curve.of(capacities[policy], latencies[policy]) for policy in POLICIES},
        lag=statistics.median(lags),
        slo=conditions.slo_milliseconds,
    )


def _decoding(translator: Translator, conditions: Conditions, policy: str) -> AbstractAsyncContextManager[Decoder]:
    return decoding(
        translator.graphs,
        num_threads=conditions.num_threads,
        max_rows=conditions.max_rows[policy],
        search_class=POLICIES[policy],
    )


def _in_turn(number: int) -> list[str]:
    """Whoever was first is second the next time."""
    return list(POLICIES) if number % 2 == 0 else list(reversed(POLICIES))


async def _measure_idle(translator: Translator, searches: Sequence[Search], conditions: Conditions) -> float:
    ranked = sorted(searches, key=lambda search: len(search.ids))
    async with _decoding(translator, conditions, STEP) as decoder:
        return statistics.median(await ask_alone(decoder, ranked[int(0.95 * len(ranked))], times=TIMES_ALONE))


async def _measure_capacities(
    translator: Translator, searches: Sequence[Search], conditions: Conditions
) -> dict[str, list[Saturated]]:
    """As many wait as are decoded."""
    places = conditions.num_threads * (max(conditions.max_rows.values()) // searches[0].beam_size)
    saturated: dict[str, list[Saturated]] = {policy: [] for policy in POLICIES}
    for number in range(conditions.rounds):
        for policy in _in_turn(number):
            async with _decoding(translator, conditions, policy) as decoder:
                saturated[policy].append(
                    await saturate(
                        decoder,
                        searches,
                        num_waiting=2 * places,
                        warm_up_seconds=conditions.seconds / 3,
                        seconds=conditions.seconds,
                    )
                )
    return saturated


def main(arguments: Sequence[str] | None = None, *, open_session: OpenSession = open_session) -> None:
    parsed = parse_arguments(arguments)
    machine = this_machine()
    print_machine(machine)
    bundle = find_translator(parsed.models_dir, parsed.model)
    translator = open_bare(bundle, precision=parsed.precision, open_session=open_session)
    precision = parsed.precision or bundle.manifest.default_precision
    conditions = Conditions(
        num_threads=parsed.slots,
        max_rows={STEP: parsed.max_rows, EMPTY: parsed.batch_rows or parsed.max_rows},
        rounds=parsed.rounds,
        seconds=parsed.seconds,
        slo_milliseconds=parsed.slo,
    )
    sentences = read_sentences(parsed.sentences)
    lengths = Lengths.of(searches_of(translator, sentences, beam_size=1))
    title = f"{bundle.manifest.name} {bundle.manifest.version}, {precision}"
    rows = ", ".join(f"{rows} {policy}" for policy, rows in conditions.max_rows.items())
    print(f"{title}; {conditions.num_threads} threads, hypotheses of each: {rows}; {lengths}")
    gc.freeze()  # as the service does once all is loaded
    comparisons = []
    for beam_size in parsed.beams:
        searches = searches_of(translator, sentences, beam_size=beam_size)
        comparisons.append(uvloop.run(compare(translator, searches, conditions)))
        print("\n".join(lines_of(comparisons[-1])), flush=True)
    write_json(machine, title, lengths, comparisons, parsed.output)
    picture = parsed.output.with_suffix(".png")
    if draw({f"{title}, beam {each.beam_size}": each.curves for each in comparisons}, picture):
        print(f"\nThe curves: {picture}")
    print(f"Every measurement: {parsed.output}")


if __name__ == "__main__":
    main()

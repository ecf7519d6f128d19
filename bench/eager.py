"""Measure target tokens a second of one core, the engine beside PyTorch's eager mode: ``python -m bench.eager``.

The same sentences go through the same trained weights, by turns and with one thread each: through the service's engine
over the bundle's graphs, and through ``training.translator.beam_search`` over the run's checkpoint. The tokens of each
sentence's best translation are counted once. Needs the extra ``train``.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from bench.machine import this_machine
from bench.process import ROOT
from bench.report import print_machine
from bench.translation import ENGINE, Lengths, engine_ways, find_translator, open_bare, read_sentences, searches_of
from bench.translation_watch import Watched
from bench.ways import ALONE, EAGER, Ids, Speed, Way, measure, write_speeds
from bench.workload import SENTENCES
from service.bundle import Bundle
from service.decoding.beam_search import search_all
from service.decoding.search import Search
from service.predictors.translator import Translator as Served
from service.settings import Settings
from training.checkpoints import load_translator
from training.config import load_config
from training.networks.translator import Translator
from training.translator.beam_search import beam_search, pad_rows
from training.translator.config import TranslatorRun


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.eager", description=__doc__)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--model", default="en-es", help="a translator's name")
    parser.add_argument("--run-dir", type=Path, default=ROOT / "runs" / "en-es", help="of the run it was made from")
    parser.add_argument("--config", type=Path, help="of that run; default: training/configs/NAME.toml")
    parser.add_argument("--beams", type=int, nargs="+", default=[4, 1], help="sizes, measured one after the other")
    parser.add_argument("--sentences", type=Path, default=SENTENCES, help="one a line")
    parser.add_argument("--count", type=int, default=100, help="sentences, drawn from these")
    parser.add_argument("--times", type=int, default=4, help="that the engine does all of them in one turn")
    parser.add_argument("--batches", type=int, nargs="*", default=[16, 64], help="sentences at once in eager mode")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "eager.json")
    return parser.parse_args(arguments)


def load_network(run_dir: Path, config: Path | None) -> Translator:
    """The best of a run, for one thread."""
    torch.set_num_threads(1)
    path = config or ROOT / "training" / "configs" / f"{run_dir.name}.toml"
    return load_translator(run_dir, load_config(TranslatorRun, path))


def eager_ways(network: Translator, batches: Sequence[int], *, beam_size: int) -> Iterator[Way]:
    """Sentences of like lengths share a batch."""
    for num_together in (ALONE, *batches):

        def decode(searches: Sequence[Search], num_together: int = num_together) -> list[Ids]:
            order = sorted(range(len(searches)), key=lambda place: len(searches[place].ids))
            found: dict[int, Ids] = {}
            for start in range(0, len(order), num_together):
                places = order[start : start + num_together]
                ids, lengths = pad_rows([searches[place].ids.tolist() for place in places])
                answers = beam_search([network], ids, lengths, beam_size=beam_size)
                found |= {place: answer[0].ids for place, answer in zip(places, answers, strict=True)}
            return [found[place] for place in range(len(searches))]

        yield Way(system=EAGER, num_together=num_together, decode=decode)


def lines_of(ways: Sequence[Way], speeds: Sequence[Speed]) -> Iterator[str]:
    """Each way; then each of the engine's beside eager mode, one at a time and at its best."""
    by_way = list(zip(ways, speeds, strict=True))
    eager = [(way, speed) for way, speed in by_way if not is_engine(way)]
    for way, speed in by_way:
        low, high = min(speed.tokens_per_second), max(speed.tokens_per_second)
        by_cpu = statistics.median(speed.tokens_per_cpu_second)
        same = f"; {_share_alike(speed, eager[0][1]):.0%} translated as eager one at a time does" if eager else ""
        note = f"rounds {low:,.0f} to {high:,.0f}; {by_cpu:,.0f} a second of processor time{same}"
        yield f"  {way.name:<30} {speed.median:8,.0f} target tokens/s   {note}"
    for way, speed in by_way if eager else ():
        if is_engine(way):
            alone, best = eager[0][1].median, max(each.median for _, each in eager)
            beside = f"x{speed.median / alone:.2f} of eager one at a time, x{speed.median / best:.2f} of its best"
            yield f"  {way.name}: {beside}"


def is_engine(way: Way) -> bool:
    """Tell the service's engine from eager mode."""
    return way.system.startswith(ENGINE)


def _share_alike(one: Speed, other: Speed) -> float:
    pairs = zip(one.found, other.found, strict=True)
    return statistics.fmean(mine == theirs for mine, theirs in pairs)


def watch(translator: Served, searches: Sequence[Search], *, max_rows: int) -> str:
    """The parts of the engine's time as a line of text."""
    watched = Watched(translator.graphs)
    started = time.thread_time()
    search_all(watched, searches, max_rows=max_rows)
    return watched.summary(time.thread_time() - started)


def compare(arguments: argparse.Namespace, bundle: Bundle, network: Translator, beam_size: int) -> list[Speed]:
    max_rows = Settings().max_decoder_rows
    translators = {precision: open_bare(bundle, precision=precision) for precision in bundle.manifest.precisions}
    sentences = random.Random(0).sample(read_sentences(arguments.sentences), arguments.count)
    searches = searches_of(next(iter(translators.values())), sentences, beam_size=beam_size)
    ways = [*eager_ways(network, arguments.batches, beam_size=beam_size)]
    for precision, translator in translators.items():
        ways += engine_ways(
            translator,
            f"{ENGINE} {precision}",
            beam_size=beam_size,
            num_together=(ALONE, max_rows // beam_size),
            times=arguments.times,
        )
    speeds = measure(ways, searches, rounds=arguments.rounds)
    print(f"\n{f'beam {beam_size}' if beam_size > 1 else 'greedy'}; {Lengths.of(searches)}")
    print("\n".join(lines_of(ways, speeds)))
    for precision, translator in translators.items():
        print(f"  {ENGINE} {precision}: {watch(translator, searches * arguments.times, max_rows=max_rows)}", flush=True)
    return speeds


def main(arguments: Sequence[str] | None = None) -> None:
    parsed = parse_arguments(arguments)
    machine = this_machine()
    print_machine(machine)
    bundle = find_translator(parsed.models_dir, parsed.model)
    print(f"{bundle.manifest.name} {bundle.manifest.version} and {parsed.run_dir}; one core")
    network = load_network(parsed.run_dir, parsed.config)
    speeds = {beam_size: compare(parsed, bundle, network, beam_size) for beam_size in parsed.beams}
    write_speeds(parsed.output, machine, speeds)


if __name__ == "__main__":
    main()

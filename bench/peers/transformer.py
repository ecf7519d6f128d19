"""Measure target tokens a second of one core beside CTranslate2: ``python -m bench.peers.transformer``.

CTranslate2 has no recurrent networks. It runs a Transformer of like size in int8, six layers of encoder and two of
decoder over 256 numbers, as fast translators for processors have them. Its weights are random, which costs the same: it
must write as many tokens as the translator's own answers have. Its output layer is measured whole, and with so few
words as a lexical shortlist leaves. More bundles of the translator (``--beside FOLDER``) are measured likewise: of
another version, or without a shortlist.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.machine import this_machine
from bench.peers.servers import PACKAGES, install_packages
from bench.process import ROOT
from bench.report import print_machine
from bench.translation import ENGINE, Lengths, engine_ways, find_translator, open_bare, read_sentences, searches_of
from bench.ways import Ids, Speed, Way, measure, write_speeds
from bench.workload import SENTENCES
from service.decoding.search import Search

NUM_LAYERS = 6, 2  # encoder, decoder
NUM_HEADS, WIDTH, INNER_SIZE = 8, 256, 1024
NUM_SOURCE, NUM_TARGET = 11_000, (11_000, 1_024)  # subwords; the second target is as few as a shortlist leaves
SYMBOLS = ["<unk>", "<s>", "</s>"]


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers.transformer", description=__doc__)
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models", help="folder of bundles")
    parser.add_argument("--model", default="en-es", help="a translator's name")
    parser.add_argument("--beside", type=Path, nargs="*", default=[], help="folders with other bundles of this name")
    parser.add_argument("--beams", type=int, nargs="+", default=[4, 2, 1], help="sizes, measured one after the other")
    parser.add_argument("--together", type=int, nargs="+", default=[1, 8, 32], help="sentences at once")
    parser.add_argument("--sentences", type=Path, default=SENTENCES, help="one a line")
    parser.add_argument("--count", type=int, default=96, help="sentences, drawn from these")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken")
    parser.add_argument("--no-transformer", action="store_true", help="measure bundles alone")
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "transformer.json")
    return parser.parse_args(arguments)


def write_transformer(folder: Path, num_target: int) -> int:
    """Write a Transformer of random weights in int8 for CTranslate2; returns its number of weights."""
    from ctranslate2.specs.transformer_spec import TransformerSpec

    rng = np.random.default_rng(0)
    spec = TransformerSpec.from_config(NUM_LAYERS, NUM_HEADS)

    def fill(layer: Any, num_outputs: int, num_inputs: int = WIDTH) -> None:
        layer.weight = rng.normal(0, 0.05, (num_outputs, num_inputs)).astype(np.float32)

    def fill_linear(layer: Any, num_outputs: int, num_inputs: int = WIDTH) -> None:
        fill(layer, num_outputs, num_inputs)
        layer.bias = np.zeros(num_outputs, np.float32)

    def fill_norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    fill(spec.encoder.embeddings[0], NUM_SOURCE)
    fill(spec.decoder.embeddings, num_target)
    fill_linear(spec.decoder.projection, num_target)
    for side in (spec.encoder, spec.decoder):
        fill_norm(side.layer_norm)
        for layer in side.layer:
            attentions = [(layer.self_attention, (3, 1))]
            if side is spec.decoder:
                attentions.append((layer.attention, (1, 2, 1)))
            for attention, widths in attentions:
                fill_norm(attention.layer_norm)
                for linear, width in zip(attention.linear, widths, strict=True):
                    fill_linear(linear, width * WIDTH)
            fill_norm(layer.ffn.layer_norm)
            fill_linear(layer.ffn.linear_0, INNER_SIZE)
            fill_linear(layer.ffn.linear_1, WIDTH, INNER_SIZE)
    spec.register_source_vocabulary(words(NUM_SOURCE))
    spec.register_target_vocabulary(words(num_target))
    num_weights = sum(np.size(value) for value in spec.variables().values())
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))
    return num_weights


def words(count: int) -> list[str]:
    """A vocabulary of so many made-up words."""
    return [*SYMBOLS, *(f"w{number}" for number in range(count - len(SYMBOLS)))]


def transformer_ways(
    folder: Path, system: str, num_tokens: Sequence[int], *, beam_size: int, num_together: Sequence[int]
) -> Iterator[Way]:
    """CTranslate2 on one thread. The sentences of a batch are of like lengths, and each gets the mean of the numbers of
    tokens that the translator wrote for them."""
    import ctranslate2

    translator = ctranslate2.Translator(str(folder), device="cpu", inter_threads=1, intra_threads=1)
    for together in num_together:

        def decode(searches: Sequence[Search], together: int = together) -> list[Ids]:
            order = sorted(range(len(searches)), key=lambda place: num_tokens[place])
            found: list[Ids] = []
            for start in range(0, len(order), together):
                places = order[start : start + together]
                length = round(statistics.fmean(num_tokens[place] for place in places))
                answers = translator.translate_batch(
                    [[f"w{piece % (NUM_SOURCE - len(SYMBOLS))}" for piece in searches[place].ids] for place in places],
                    beam_size=beam_size,
                    min_decoding_length=length,
                    max_decoding_length=length,
                )
                found += [tuple(range(len(answer.hypotheses[0]))) for answer in answers]
            return found

        yield Way(system=system, num_together=together, decode=decode)


def compare(arguments: argparse.Namespace, transformers: dict[str, Path], beam_size: int) -> list[Speed]:
    """Measure every way with this beam and print a line for each."""
    folders = [arguments.models_dir, *arguments.beside]
    translators = [open_bare(find_translator(folder, arguments.model)) for folder in folders]
    sentences = random.Random(0).sample(read_sentences(arguments.sentences), arguments.count)
    searches = searches_of(translators[0], sentences, beam_size=beam_size)
    ways: list[Way] = []
    for folder, translator in zip(folders, translators, strict=True):
        options = {"beam_size": beam_size, "num_together": arguments.together}
        ways += engine_ways(translator, f"{ENGINE}, {folder.name}", **options, times=1)
    num_tokens = [max(1, len(ids)) for ids in ways[0].decode(searches)]
    for name, path in transformers.items():
        ways += transformer_ways(path, name, num_tokens, beam_size=beam_size, num_together=arguments.together)
    speeds = measure(ways, searches, rounds=arguments.rounds)
    print(f"\nbeam {beam_size}; {Lengths.of(searches)}; target tokens a second of processor time")
    for way, speed in zip(ways, speeds, strict=True):
        low, high = min(speed.tokens_per_cpu_second), max(speed.tokens_per_cpu_second)
        median = statistics.median(speed.tokens_per_cpu_second)
        print(f"  {way.name:<45} {median:8,.0f}   rounds {low:,.0f} to {high:,.0f}", flush=True)
    return speeds


def main(arguments: Sequence[str] | None = None) -> None:
    parsed = parse_arguments(arguments)
    machine = this_machine()
    print_machine(machine)
    with TemporaryDirectory() as folder:
        transformers = {}
        if not parsed.no_transformer:
            install_packages()
            sys.path.append(str(PACKAGES))
            for num_target in NUM_TARGET:
                path = transformers[f"CTranslate2, {num_target:,} words"] = Path(folder) / str(num_target)
                path.mkdir()
                millions = write_transformer(path, num_target) / 1e6
                print(f"Transformer, {num_target:,} target words: {millions:.1f} M weights")
        speeds = {beam_size: compare(parsed, transformers, beam_size) for beam_size in parsed.beams}
    write_speeds(parsed.output, machine, speeds)


if __name__ == "__main__":
    main()

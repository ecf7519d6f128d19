"""A language model of one's own text: from a text file to a bundle that ``POST /generate`` and ``/score`` serve."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Any

import numpy as np

from service.bundle import SUBWORDS, load_bundle
from service.errors import BundleError
from service.text.pipeline import Ids
from training.language_model.bundle_start import network_of_bundle
from training.language_model.config import LanguageModelRun
from training.language_model.corpora import Split
from training.language_model.measure import held_out, measure_texts
from training.language_model.ngrams import KneserNey
from training.language_model.perplexity import log_likelihoods
from training.language_model.publish import EXAMPLE_PROMPTS, Facts, write_bundle
from training.language_model.report import BASELINES
from training.language_model.train import drawn, fit_language_model
from training.language_model.units import Units, units_of_run
from training.loop import seed_everything
from training.networks.language_model import LanguageModel
from training.own_data.errors import DataError
from training.own_data.options import Clock, Say, TrainOptions
from training.own_data.progress import TimeLeft
from training.own_data.recipe import Origin
from training.own_data.running_text import read_running_text
from training.own_data.sizes import language_model_run
from training.own_data.verdict import SURE, Verdict, sign_test
from training.own_data.workspace import Workspace, check_free, workspace

ORDERS = {"characters": 6, "subwords": 3}  # units of the baseline's grams
MOST_PROMPTS = 60  # tried as examples; the surest are kept


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LanguageModelStart:
    """The weights and subwords of a published language model."""

    name: str
    licence: str
    subwords: bytes
    network: LanguageModel

    @classmethod
    def open(cls, folder: Path) -> LanguageModelStart | None:
        """Read a bundle; None if it holds another kind of network. Raises DataError if it is no language model."""
        try:
            bundle = load_bundle(folder)
        except BundleError as error:
            raise DataError(f"{folder} is no language model to start from: {error}.") from error
        if bundle.manifest.task != "generate":
            raise DataError(f"{folder} is no language model to start from: its task is {bundle.manifest.task!r}.")
        try:
            network = network_of_bundle(folder)
        except (OSError, ValueError, RuntimeError, KeyError):
            return None
        return cls(
            name=f"{bundle.manifest.name} {bundle.manifest.version}",
            licence=bundle.manifest.licence,
            subwords=bundle.path(SUBWORDS).read_bytes(),
            network=network,
        )


def train_language_model(
    path: Path, options: TrainOptions, *, encoding: str | None, starts: Sequence[Path], say: Say
) -> Verdict:
    """Train a language model and write its bundle; returns how it compares with n-grams.

    It starts from the first of the bundles ``starts`` whose network is of the kind trained here. Raises DataError.
    """
    clock = Clock(options.minutes)
    check_free(options.out, overwrite=options.overwrite)
    text = read_running_text(path, encoding=encoding, seed=options.seed)
    for note in text.notes:
        say(note)
    with workspace(options.out, overwrite=options.overwrite) as made:
        seed_everything(options.seed)
        start = next((each for each in map(LanguageModelStart.open, starts) if each), None)
        splits = {path.name: text.split}
        config = language_model_run(
            name=options.name,
            title=f"Writes on and scores text as in {path.name}",
            num_characters=text.num_characters,
            minutes=clock.minutes_to_train,
            seed=options.seed,
            start=start.network.config if start else None,
        )
        if start:
            (made.run / SUBWORDS).write_bytes(start.subwords)
        units = units_of_run(config, made.run, text.split.train)
        train = [units.encode(each) for each in text.split.train]
        baseline = KneserNey(train, order=ORDERS[config.units], size=units.size, end_id=units.end_id)
        write_baselines(made, baseline, units, config, splits)
        best = fit_own(config, train, text.split, units, start, made.run, say)
        verdict = judge(best, baseline, units, text.split)
        sizes = (len(text.split.train), len(text.split.dev), len(text.split.test))
        origin = Origin(options=options, data=path.name, sizes=sizes, start=start)
        write_own_language_model(best, config, splits, origin, verdict, made)
    return verdict


def fit_own(
    config: LanguageModelRun,
    train: Sequence[Ids],
    split: Split,
    units: Units,
    start: LanguageModelStart | None,
    folder: Path,
    say: Say,
) -> LanguageModel:
    """Train a network, with a bundle's weights if there is a start, and return the weights that are best on dev."""
    network = LanguageModel(vocabulary_size=units.size, config=config.network)
    if start:
        network.load_state_dict(start.network.state_dict())
    weights = sum(value.numel() for value in network.parameters())
    say(
        f"An LSTM of {config.network.hidden_size} over {units.size:,} {config.units}, {weights / 1e6:.1f} M weights"
        f"{f', starting from {start.name}' if start else ''}; {sum(map(len, train)):,} units to learn from."
    )
    best = fit_language_model(
        network,
        train,
        drawn(split.dev, units, config.dev_tokens),
        units,
        config=config,
        folder=folder,
        display=TimeLeft(limit_minutes=config.fit.limit_minutes or 0, figure="perplexity_forwards"),
    )
    return best.cpu()


def write_own_language_model(
    network: LanguageModel,
    config: LanguageModelRun,
    splits: Mapping[str, Split],
    origin: Origin,
    verdict: Verdict,
    made: Workspace,
) -> None:
    """Write the bundle and its report."""

    def recipe(history: list[dict[str, float]], _: Mapping[str, Any]) -> str:
        return origin.recipe(chosen=f"The weights (of {len(history)} epochs) were chosen", verdict=verdict.text)

    prompts = prompts_of(config, origin.options.language)
    write_bundle(
        network,
        config=config,
        splits=splits,
        facts=Facts(
            terms=origin.terms,
            languages=(origin.options.language,),
            recipe=recipe,
            example_prompts=prompts,
            example_units=1,
            samples={"prompts": ("", *prompts[1:3]), "num_each": 2, "top_p": 0.95},
        ),
        folder=made.bundle,
        run=made.run,
    )


def prompts_of(config: LanguageModelRun, language: str) -> list[str]:
    """Prompts for examples and samples: nothing, plain beginnings in English, and single letters. No text of one's own
    is in a bundle."""
    plain = EXAMPLE_PROMPTS["subwords"] if language == "en" else ()
    return ["", *(each for each in plain if each), *"abcdefghijklmnopqrstuvwxyz", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]


def write_baselines(
    made: Workspace, baseline: KneserNey, units: Units, config: LanguageModelRun, splits: Mapping[str, Split]
) -> None:
    """Write the figures of the n-grams where the report reads them."""
    figures = {
        part: {
            source: found.as_dict()
            for source, found in measure_texts(held_out(splits, part), baseline.log_likelihoods, units.encode).items()
        }
        for part in ("dev", "test")
    }
    name = f"Kneser-Ney, {ORDERS[config.units]} units"
    (made.run / BASELINES).write_text(json.dumps({name: figures}, indent=2) + "\n", encoding="utf-8")


def judge(network: LanguageModel, baseline: KneserNey, units: Units, split: Split) -> Verdict:
    """Compare perplexities of a unit on the test texts, and the texts that either model finds likelier (sign test)."""
    test = [units.encode(text) for text in split.test]
    ours, theirs = log_likelihoods(network, test, units.end_id), baseline.log_likelihoods(test)
    wins = sum(float(a.sum()) > float(b.sum()) for a, b in zip(ours, theirs, strict=True))
    chance = sign_test(wins, len(test) - wins)
    network_perplexity, other = (exp(-float(np.concatenate(rows).mean())) for rows in (ours, theirs))
    both = f"perplexity of a unit {network_perplexity:.1f}, Kneser-Ney {other:.1f} (less is better)"
    if network_perplexity < other and chance < SURE:
        text = f"The network is better: {both}."
    elif network_perplexity < other:
        text = f"The baseline is as good: {both}; chance alone can make such a difference."
    else:
        text = f"The baseline is better: {both}. More text helps, or more minutes."
    return Verdict(network=-network_perplexity, baseline=-other, chance=chance, text=text)

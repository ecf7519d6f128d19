"""A language model of one's own text: from a text file to a bundle that ``POST /generate`` and ``/score`` serve."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import exp
from pathlib import Path
from typing import Any

import numpy as np

from training.language_model.baselines import BASELINES
from training.language_model.config import LanguageModelRun
from training.language_model.corpora import Split
from training.language_model.measure import held_out, measure_texts
from training.language_model.ngrams import KneserNey
from training.language_model.perplexity import log_likelihoods
from training.language_model.publish import EXAMPLE_PROMPTS, Facts, write_bundle
from training.language_model.train import drawn, fit_language_model
from training.language_model.units import Units, units_of_run
from training.loop import seed_everything
from training.networks.language_model import LanguageModel
from training.own_data.options import Clock, Say, TrainOptions
from training.own_data.progress import TimeLeft
from training.own_data.recipe import own_recipe, own_terms
from training.own_data.running_text import read_running_text
from training.own_data.sizes import language_model_run
from training.own_data.verdict import SURE, Verdict, sign_test
from training.own_data.workspace import Workspace, check_free, workspace

ORDERS = {"characters": 6, "subwords": 3}  # units of the baseline's grams
MOST_PROMPTS = 60  # tried as examples; the surest are kept


def train_language_model(path: Path, options: TrainOptions, *, encoding: str | None, say: Say) -> Verdict:
    """Train a language model and write its bundle; returns how it compares with n-grams. Raises DataError."""
    clock = Clock(options.minutes)
    check_free(options.out, overwrite=options.overwrite)
    text = read_running_text(path, encoding=encoding, seed=options.seed)
    for note in text.notes:
        say(note)
    with workspace(options.out, overwrite=options.overwrite) as made:
        seed_everything(options.seed)
        splits = {path.name: text.split}
        config = language_model_run(
            name=options.name,
            title=f"Writes on and scores text as in {path.name}",
            num_characters=text.num_characters,
            minutes=clock.minutes_to_train,
            seed=options.seed,
        )
        units = units_of_run(config, made.run, text.split.train)
        train = [units.encode(each) for each in text.split.train]
        network = LanguageModel(vocabulary_size=units.size, config=config.network)
        weights = sum(value.numel() for value in network.parameters())
        say(
            f"An LSTM of {config.network.hidden_size} over {units.size:,} {config.units}, {weights / 1e6:.1f} M "
            f"weights; {sum(map(len, train)):,} units to learn from."
        )
        baseline = KneserNey(train, order=ORDERS[config.units], size=units.size, end_id=units.end_id)
        write_baselines(made, baseline, units, config, splits)
        best = fit_language_model(
            network,
            train,
            drawn(text.split.dev, units, config.dev_tokens),
            units,
            config=config,
            folder=made.run,
            display=TimeLeft(limit_minutes=config.fit.limit_minutes or 0, figure="perplexity_forwards"),
        )
        verdict = judge(best.cpu(), baseline, units, text.split)

        def recipe(history: list[dict[str, float]], _: Mapping[str, Any]) -> str:
            return own_recipe(
                options,
                start=None,
                sizes=(len(text.split.train), len(text.split.dev), len(text.split.test)),
                chosen=f"The weights (of {len(history)} epochs) were chosen",
                verdict=verdict.text,
            )

        prompts = prompts_of(config, options.language)
        write_bundle(
            best,
            config=config,
            splits=splits,
            facts=Facts(
                terms=own_terms(path.name, start=None, licence=None),
                languages=(options.language,),
                recipe=recipe,
                example_prompts=prompts,
                example_units=1,
                samples={"prompts": ("", *prompts[1:3]), "num_each": 2, "top_p": 0.95},
            ),
            folder=made.bundle,
            run=made.run,
        )
    return verdict


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

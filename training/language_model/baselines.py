"""Measure baselines on the same units and texts: Kneser-Ney models of several orders.

``python -m training.language_model.baselines CONFIG`` writes ``baselines.json`` into the run's folder; the report shows
it. Units are the run's, so that every text has a probability and unknown words count alike.
"""

from __future__ import annotations

import json
from pathlib import Path

from training.command_line import run_parser
from training.config import load_config
from training.language_model.config import LanguageModelRun
from training.language_model.corpora import read_splits, texts_of
from training.language_model.measure import held_out, measure_pairs, measure_texts
from training.language_model.ngrams import KneserNey
from training.language_model.report import BASELINES
from training.language_model.units import units_of_run

ORDERS = (3, 5)


def main() -> None:
    parser = run_parser(__doc__)
    parser.add_argument("--orders", type=int, nargs="+", default=list(ORDERS), help="of the models, in units")
    parser.add_argument("--pairs", type=int, help="measure every so many-th minimal pair, too")
    arguments = parser.parse_args()
    config = load_config(LanguageModelRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    splits = read_splits(tuple(dict.fromkeys(config.sources)), arguments.data_dir)  # a text counts once
    units = units_of_run(config, folder, [text for split in splits.values() for text in split.train])
    train = [units.encode(text) for split in splits.values() for text in texts_of(split.train, config.units)]
    found = {}
    for order in arguments.orders:
        model = KneserNey(train, order=order, size=units.size, end_id=units.end_id)
        name = f"Kneser-Ney, {order} units"
        found[name] = {
            split: {
                source: figures.as_dict()
                for source, figures in measure_texts(
                    {source: texts_of(part, config.units) for source, part in held_out(splits, split).items()},
                    model.log_likelihoods,
                    units.encode,
                ).items()
            }
            for split in ("dev", "test")
        }
        if arguments.pairs:
            found[name]["pairs"] = measure_pairs(
                model.log_likelihoods, units.encode, arguments.data_dir, step=arguments.pairs
            )
        print(name, json.dumps({split: found[name][split]["all"] for split in ("dev", "test")}))
    (folder / BASELINES).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

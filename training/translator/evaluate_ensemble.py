"""Measure the networks of trained runs on dev or test sets, in torch and without a bundle.

    python -m training.translator.evaluate_ensemble training/configs/multi30k-de.toml \\
        --runs runs/multi30k-de runs/multi30k-de-2 --split dev

Several are one ensemble: their probabilities are averaged at each step, so they must share subwords.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from service.predictors.translation import LanguagePair
from training.checkpoints import load_translator
from training.command_line import run_parser
from training.config import load_config
from training.corpora.parallel import Pair, read_sets
from training.networks.translator import Translator
from training.translator.config import TranslatorRun
from training.translator.distil import shared_subwords
from training.translator.evaluate import Engine, measure, print_measured
from training.translator.predict import translate
from training.translator.subwords import SubwordPairEncoder


def main() -> None:
    parser = run_parser(__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="run folders")
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--beam-size", type=int, default=4)
    arguments = parser.parse_args()
    config = load_config(TranslatorRun, arguments.config)
    encoder = SubwordPairEncoder(shared_subwords(arguments.runs))
    networks = [load_translator(folder, config) for folder in arguments.runs]
    sets = read_sets(config.corpora, config.directions, arguments.split, arguments.data_dir)
    with torch.inference_mode():
        print_measured(measure(engine_of(networks, encoder, beam_size=arguments.beam_size), sets))


def engine_of(networks: Sequence[Translator], encoder: SubwordPairEncoder, *, beam_size: int) -> Engine:
    def engine(texts: Sequence[str], pair: LanguagePair) -> list[str]:
        pairs = [Pair(source=text, references=("",), target_language=pair.target) for text in texts]
        return translate(networks, encoder, pairs, beam_size=beam_size)

    return engine


if __name__ == "__main__":
    main()

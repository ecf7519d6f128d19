"""Write the training pairs anew with target sides translated by trained teachers (sequence-level knowledge
distillation; Kim and Rush 2016).

    python -m training.translator.distil training/configs/multi30k.toml \\
        --teachers runs/multi30k-1 runs/multi30k-2 --output runs/multi30k.distilled.tsv

Several teachers are one ensemble: their probabilities are averaged at each step, so they must share subwords. A run
whose configuration names the file (``distilled``) learns from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sacrebleu import sentence_bleu
from tqdm import tqdm

from service.bundle import SUBWORDS
from service.text.subwords import Subwords
from training.checkpoints import load_translator
from training.command_line import run_parser
from training.config import load_config
from training.corpora.parallel import Pair, write_pairs
from training.translator.config import TranslatorRun
from training.translator.predict import search_rows
from training.translator.prepare import folder_of_pairs, read_prepared
from training.translator.subwords import SubwordPairEncoder

BLOCK_PAIRS = 2000


def main() -> None:
    parser = run_parser(__doc__)
    parser.add_argument("--teachers", type=Path, nargs="+", required=True, help="run folders")
    parser.add_argument("--output", type=Path, required=True, help="TSV: language, source, target")
    parser.add_argument("--beam-size", type=int, default=4)
    arguments = parser.parse_args()
    config = load_config(TranslatorRun, arguments.config)
    encoder = SubwordPairEncoder(shared_subwords(arguments.teachers))
    teachers = [load_translator(folder, config) for folder in arguments.teachers]
    folder = folder_of_pairs(config, arguments.teachers[0])
    prepared = read_prepared(folder, directions=config.directions, max_tokens=config.max_tokens)
    pairs = [each.measured.pair for each in prepared]

    with arguments.output.open("w", encoding="utf-8") as file:
        for start in tqdm(range(0, len(pairs), BLOCK_PAIRS)):
            block = pairs[start : start + BLOCK_PAIRS]
            rows = [encoder.encode_source(pair.source, pair.target_language) for pair in block]
            found = search_rows(teachers, rows, beam_size=arguments.beam_size)
            texts = ([encoder.subwords.decode(one.ids) for one in each] for each in found)
            write_pairs(file, (rewrite(pair, each) for pair, each in zip(block, texts, strict=True)))


def shared_subwords(folders: Sequence[Path]) -> Subwords:
    """The subwords of the teachers. Raises ValueError if they cut words differently."""
    models = [(folder / SUBWORDS).read_bytes() for folder in folders]
    if len(set(models)) > 1:
        raise ValueError("the teachers have different subwords, so their probabilities cannot be averaged")
    return Subwords.load(models[0])


def rewrite(pair: Pair, hypotheses: Sequence[str]) -> Pair:
    """The hypothesis nearest to the reference, by BLEU of the sentence, so that it is both likely for the teachers and
    right (sequence-level interpolation, section 3.3)."""
    best = max(hypotheses, key=lambda text: sentence_bleu(text, [pair.target]).score)
    return replace(pair, references=(best,))


if __name__ == "__main__":
    main()

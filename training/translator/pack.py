"""Pack a run for another machine, such as a rented GPU: pairs, subwords and best weights.

    python -m training.translator.pack training/configs/en-xx.toml --megabytes 50 --output packed

The folder replaces ``runs/`` there: ``packed/<pairs>/pairs.tsv.xz``, ``packed/<name>/best.pt``, and the subwords in
both. If all pairs are too large, each source gives the share of pairs that it has in the mixture. Weights are rounded
to float16.
"""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

import numpy as np
import torch

from service.bundle import SUBWORDS
from training.command_line import run_parser
from training.config import load_config
from training.translator.config import TranslatorRun
from training.translator.prepare import PAIRS, folder_of_pairs, mixture_of, read_prepared

BYTES_PER_TOKEN = 1.75  # of the target, of a line with both sides, compressed


def main() -> None:
    parser = run_parser(__doc__)
    parser.add_argument("--megabytes", type=float, default=50.0, help="about how large the pairs may be")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    config = load_config(TranslatorRun, arguments.config)
    run = arguments.run_dir or Path("runs") / config.name
    pairs = folder_of_pairs(config, run)
    pack_pairs(config, pairs, arguments.output / pairs.name, num_bytes=int(arguments.megabytes * 1e6))
    pack_weights(run, arguments.output / run.name)
    for path in sorted(arguments.output.rglob("*.*")):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def pack_pairs(config: TranslatorRun, source: Path, target: Path, *, num_bytes: int) -> None:
    """Write the pairs, or as many as the mixture draws for this size, and their subwords."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / SUBWORDS, target / SUBWORDS)
    prepared = read_prepared(source, directions=config.directions, max_tokens=config.max_tokens)
    num_tokens = sum(each.measured.target_tokens for each in prepared)
    if num_tokens * BYTES_PER_TOKEN > num_bytes:
        mixture = mixture_of(config, prepared, epoch_tokens=int(num_bytes / BYTES_PER_TOKEN))
        prepared = [prepared[place] for place in np.unique(mixture.draw(np.random.default_rng(config.fit.seed)))]
    with lzma.open(target / f"{PAIRS}.xz", "wt", encoding="utf-8") as file:
        file.writelines(each.line for each in prepared)


def pack_weights(run: Path, target: Path) -> None:
    """Write the best weights of a run in float16, and its subwords."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / SUBWORDS, target / SUBWORDS)
    weights = torch.load(run / "best.pt", weights_only=True, map_location="cpu")["network"]
    torch.save({"network": {name: value.half() for name, value in weights.items()}}, target / "best.pt")


if __name__ == "__main__":
    main()

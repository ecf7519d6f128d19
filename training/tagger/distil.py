"""Let trained taggers label plain text together, for a single network to learn from them.

    python -m training.tagger.distil --help

Distils an ensemble by sequences (Hinton et al. 2015, Kim and Rush 2016): averages the probabilities of the teachers,
takes the best legal tags, and writes a columns file of word, UPOS, XPOS and entity. The configurations of
:mod:`training.tagger.train` name such a file as ``labelled_text``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.batches import random_part
from training.checkpoints import load_tagger
from training.config import load_config
from training.corpora import plain, tagging
from training.loop import pick_device
from training.tagger.config import TaggerRun
from training.tagger.predict import tag_sentences

HEADS = ("upos", "xpos", "entity")


class Ensemble(nn.Module):
    """An ensemble of networks with one vocabulary, which answers with the logarithm of their mean probabilities."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, ids: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        answers = [member(ids, lengths) for member in self.members]
        return {
            name: torch.stack([answer[name].float().softmax(-1) for answer in answers]).mean(0).log() for name in HEADS
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--config", type=Path, required=True, help="the teachers' configuration")
    parser.add_argument("--teachers", type=Path, nargs="+", required=True, help="run folders of one vocabulary")
    parser.add_argument("--num-words", type=int, default=600_000)
    parser.add_argument("--data-dir", type=Path, help="folder with the corpora; else they are downloaded")
    arguments = parser.parse_args()
    config = load_config(TaggerRun, arguments.config)

    heads = tagging.read_tag_sets(arguments.data_dir)
    teachers = [load_tagger(folder, config, heads) for folder in arguments.teachers]
    sentences = read_text(arguments.num_words, arguments.data_dir)
    ensemble = Ensemble([teacher.network for teacher in teachers]).to(pick_device()).eval()
    tags = tag_sentences(ensemble, teachers[0].encoder, sentences, {name: heads[name] for name in HEADS})
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with arguments.output.open("w", encoding="utf-8") as file:
        for rows in zip(sentences, *(tags[name] for name in HEADS), strict=True):
            file.writelines("\t".join(row) + "\n" for row in zip(*rows, strict=True))
            file.write("\n")


def read_text(num_words: int, data_dir: Path | None) -> list[Sequence[str]]:
    """Random sentences of all open corpora on which nothing is evaluated. EWT's own are left out, because they have
    gold tags."""
    corpora = (tagging.read_gmb("train", data_dir), tagging.read_wnut17("train", data_dir))
    tagged = chain(*corpora, tagging.read_btc(data_dir), tagging.read_wikigold(data_dir))
    plain_text = chain(plain.read_tatoeba_english(data_dir), plain.read_war_and_peace(data_dir))
    sentences = [words for words in chain((s.words for s in tagged), plain_text) if 3 < len(words) <= 60]
    return random_part(sentences, num_words, np.random.default_rng(0))


if __name__ == "__main__":
    main()

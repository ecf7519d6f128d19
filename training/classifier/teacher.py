"""Fine-tune a pretrained Transformer on a classifier's corpora and let it label plain text for the classifier.

    python -m training.classifier.teacher CONFIG

This is distillation (Hinton et al. 2015), as Tang et al. (2019) did for a BiLSTM: the classifier learns the teacher's
probability of every label. The teacher is never served. The run folder, ``runs/NAME-teacher``, gets ``taught.tsv``: the
probabilities and, last, the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from service.text.tokenizer import Sentence
from training.batches import pack
from training.classifier.config import ClassifierRun
from training.classifier.corpora import held_out_texts, labels_of, read_sets, read_training
from training.classifier.figures import dev_figures, measure_set
from training.classifier.replaced import replaced_texts
from training.classifier.taught import TaughtText, taught_texts, write_taught
from training.command_line import run_parser
from training.config import load_config
from training.corpora.labelled_text import LabelledText
from training.corpora.minilm import pretrained_folder
from training.corpora.written_texts import is_written
from training.loop import fit, pick_device, seed_everything
from training.networks.teacher import PieceBatch, Pieces, Teacher
from training.tagger.evaluate import open_tagger, tag_all

PREDICT_PIECES = 3000  # of a batch without gradients
POOL_TEXTS = 60_000  # plain texts whose words replace others


def main() -> None:
    parser = run_parser(__doc__)
    parser.add_argument("--leave-out", nargs="*", default=(), help="sources of the corpora that are not learned from")
    parser.add_argument("--tagger", type=Path, default=Path("models/en-tagger"), help="finds the words to replace")
    arguments = parser.parse_args()
    config = load_config(ClassifierRun, arguments.config)
    if config.teacher is None:
        raise SystemExit(f"{arguments.config} has no [teacher]")
    folder = arguments.run_dir or Path("runs") / f"{config.name}-teacher"
    seed_everything(config.teacher.fit.seed)

    labels = labels_of(config, arguments.data_dir)
    sets = read_training(config, arguments.data_dir, leave_out=arguments.leave_out)
    train = [text for texts in sets.values() for text in texts]
    dev = read_sets(config, "dev", arguments.data_dir)
    pretrained = pretrained_folder(arguments.data_dir)
    pieces = Pieces(pretrained)
    rows = pieces.rows([text.text for text in train])
    targets = torch.tensor([text.target for text in train])
    network = Teacher(pretrained, len(labels), multi_label=config.multi_label)

    def epoch(rng: np.random.Generator) -> Iterator[PieceBatch]:
        for places in pack(list(map(len, rows)), config.teacher.batch_pieces, rng):
            yield pieces.collate([rows[i] for i in places], targets[list(places)])

    def score(averaged: Teacher) -> dict[str, float]:
        answers = [predict(averaged, pieces, [text.text for text in part.texts]) for part in dev]
        found = [measure_set(part, scores, config, labels) for part, scores in zip(dev, answers, strict=True)]
        return dev_figures(found, config)

    best = fit(
        network,
        epoch,
        steps_per_epoch=len(pack(list(map(len, rows)), config.teacher.batch_pieces, np.random.default_rng(0))),
        score=score,
        config=config.teacher.fit,
        folder=folder,
    )
    held_out = held_out_texts(config, arguments.data_dir)
    if arguments.leave_out:
        everything = read_training(config, arguments.data_dir)
        held_out += [t.text for part in everything.values() for t in part if t.source in arguments.leave_out]
    taught = list(taught_texts(config.teacher.num_taught, held_out, arguments.data_dir))
    if config.teacher.num_replaced:
        written = [text for corpus, texts in sets.items() if is_written(corpus) for text in texts]
        taught += _replaced(written, [t.text for t in taught], arguments.tagger, config.teacher.num_replaced)
    write_taught(folder / "taught.tsv", [t.text for t in taught], predict(best, pieces, [t.asked for t in taught]))


def _replaced(written: Sequence[LabelledText], others: Sequence[str], folder: Path, count: int) -> list[TaughtText]:
    tagger, rng = open_tagger(folder, "int8"), np.random.default_rng(2)
    pool = [others[place] for place in rng.permutation(len(others))[:POOL_TEXTS]]

    def tag(sentences: Sequence[Sentence]) -> list[list[str]]:
        return [row.xpos for row in tag_all(tagger, sentences)]

    return [
        TaughtText(text=text, asked=text)
        for text in replaced_texts([each.text for each in written], pool, tag, count, rng)
    ]


@torch.inference_mode()
def predict(network: Teacher, pieces: Pieces, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Probabilities (text, label); in a multi-label task each label's own."""
    device = pick_device()
    network = network.to(device).eval()
    rows = pieces.rows(texts)
    answers = np.zeros((len(rows), network.head.out_features), np.float32)
    nothing = torch.zeros(0)
    for places in pack(list(map(len, rows)), PREDICT_PIECES, np.random.default_rng(0)):
        batch = pieces.collate([rows[i] for i in places], nothing).to(device)
        logits = network(batch.ids, batch.mask).float()
        answers[places] = (logits.sigmoid() if network.multi_label else logits.softmax(1)).cpu().numpy()
    return answers


if __name__ == "__main__":
    main()

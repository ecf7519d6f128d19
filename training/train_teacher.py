"""Fine-tune the teacher on a task and let it label plain text for a small network to learn from.

``python -m training.train_teacher --help``. Distillation (Hinton et al. 2015), as Tang et al. (2019) did for a BiLSTM:
what the student learns from is the probability of every class. Writes ``probabilities.tsv``, and where it is asked for
``telling.tsv`` (training/telling_texts.py): a text a line, behind its probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from service.text.tokenizer import split_sentences
from training.batches import pack
from training.command_line import run_parser
from training.config import FitConfig, load_config
from training.corpora.labelled import LabelledText, without
from training.corpora.minilm import pretrained_folder
from training.corpora.text_tasks import TASKS, read_plain_reviews, read_sets, read_training
from training.corpora.tweeteval import read_tweets
from training.loop import fit, pick_device, seed_everything
from training.networks.teacher import PieceBatch, Pieces, Teacher
from training.telling_texts import telling_texts
from training.text_mixture import write_taught


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherRun:
    """One teacher; a file of ``training/configs``."""

    name: str
    task: str
    batch_pieces: int = 1500
    epoch_texts: int = 40_000  # of the training texts seen an epoch, a fresh sample each time
    num_labelled: int = 150_000  # plain texts that it labels in the end
    num_telling: int = 0  # short sentences of reviews in which small words decide, that it labels too
    fit: FitConfig


def main() -> None:
    arguments = run_parser(__doc__).parse_args()
    config = load_config(TeacherRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    train = read_training(config.task, arguments.data_dir)
    dev = [text for part in read_sets(config.task, "dev", arguments.data_dir) for text in part.texts]
    pretrained = pretrained_folder(arguments.data_dir)
    pieces = Pieces(pretrained)
    rows = pieces.rows([example.text for example in train])
    network = Teacher(pretrained, len(TASKS[config.task]))

    def epoch(rng: np.random.Generator) -> Iterator[PieceBatch]:
        lengths = np.array(list(map(len, rows)), float)  # long phrases say more: they are drawn more often
        count = min(config.epoch_texts, len(rows))
        chosen = rng.choice(len(rows), count, replace=False, p=lengths / lengths.sum())
        for indices in pack([len(rows[i]) for i in chosen], config.batch_pieces, rng):
            places = chosen[indices]
            yield pieces.collate([rows[i] for i in places], [train[i].label for i in places])

    best = fit(
        network,
        epoch,
        steps_per_epoch=sum(1 for _ in epoch(np.random.default_rng(0))),
        score=lambda averaged: accuracy(averaged, pieces, dev),
        config=config.fit,
        folder=folder,
    )
    if not (folder / "probabilities.tsv").exists():
        texts = list(islice(plain_texts(config.task, arguments.data_dir), config.num_labelled))
        write_taught(folder / "probabilities.tsv", texts, predict(best, pieces, texts))
    if config.num_telling and not (folder / "telling.tsv").exists():
        reviews = read_plain_reviews(arguments.data_dir)
        telling = list(islice(telling_texts(reviews, np.random.default_rng(1)), config.num_telling))
        answers = predict(best, pieces, [each.asked for each in telling])
        write_taught(folder / "telling.tsv", [each.text for each in telling], answers)


def accuracy(network: Teacher, pieces: Pieces, examples: Sequence[LabelledText]) -> dict[str, float]:
    """In percent; of SST's five grades also how often the side is right where the gold one is not neutral."""
    probabilities = predict(network, pieces, [example.text for example in examples])
    labels = np.array([example.label for example in examples])
    figures = {"score": 100 * float((probabilities.argmax(1) == labels).mean())}
    if probabilities.shape[1] == 5:
        sided = labels != 2
        positive = probabilities[:, 3:].sum(1) > probabilities[:, :2].sum(1)
        figures["binary"] = 100 * float((positive == (labels > 2))[sided].mean())
    return figures


@torch.inference_mode()
def predict(network: Teacher, pieces: Pieces, texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Probabilities (text, label)."""
    device = pick_device()
    network = network.to(device).eval()
    rows = pieces.rows(texts)
    answers: list[npt.NDArray[np.float32] | None] = [None] * len(rows)
    for indices in pack([len(row) for row in rows], 3000, np.random.default_rng(0)):
        batch = pieces.collate([rows[i] for i in indices], [0] * len(indices)).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(batch.ids, batch.mask)
        for i, answer in zip(indices, logits.float().softmax(1).cpu().numpy(), strict=True):
            answers[i] = answer
    return np.stack(answers)  # type: ignore[arg-type]  # every row was in a batch


def plain_texts(task: str, data_dir: Path | None) -> Iterator[str]:
    """Texts of the task's kind that it has no labels for, in random order: sentences of reviews, or tweets."""
    rng = np.random.default_rng(0)
    if not task.startswith("sst"):
        tweets = {t for name in ("irony", "emotion", "offensive") for t in read_tweets(name, "train", data_dir)}
        held_out = [part for split in ("dev", "test") for part in read_sets(task, split, data_dir)]
        kept = without(list(tweets), [tweet.text for part in held_out for tweet in part.texts])
        yield from rng.permutation(sorted({tweet.text for tweet in kept}))
        return
    reviews = read_plain_reviews(data_dir)
    for i in rng.permutation(len(reviews)):
        for sentence in split_sentences(reviews[i]):
            if 4 <= len(sentence) <= 45:
                yield " ".join(reviews[i][sentence.starts[0] : sentence.ends[-1]].split())


if __name__ == "__main__":
    main()

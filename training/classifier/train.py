"""Train a text classifier: corpora, network, fit, calibrate, and with ``--bundle`` measure and publish.

python -m training.classifier.train CONFIG
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from service.text.pipeline import TextEncoder, Vocabulary
from training.classifier.batches import Mixture, examples_of
from training.classifier.bundle_start import START, TAUGHT_FILE
from training.classifier.config import TAUGHT, ClassifierRun
from training.classifier.corpora import TextSet, labels_of, read_sets, read_training
from training.classifier.predict import score_sets
from training.classifier.publish import publish
from training.classifier.taught import read_taught
from training.command_line import publishing_parser
from training.config import load_config
from training.corpora.labelled_text import LabelledText
from training.displays import Display
from training.loop import fit, seed_everything
from training.networks.classifier import Classifier
from training.vocabularies import vocabularies_of_run, vocabulary_of_texts
from training.word_vectors import start_from_vectors


def main() -> None:
    parser = publishing_parser(__doc__)
    parser.add_argument("--taught", type=Path, help="labelled by a teacher; default: by this run's, or its bundle")
    parser.add_argument("--leave-out", nargs="*", default=(), help="sources of the corpora that are not learned from")
    parser.add_argument("--seed", type=int, help="instead of the configuration's")
    arguments = parser.parse_args()
    config = load_config(ClassifierRun, arguments.config)
    if arguments.seed is not None:
        config = replace(config, fit=replace(config.fit, seed=arguments.seed))
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    labels = labels_of(config, arguments.data_dir)
    dev = read_sets(config, "dev", arguments.data_dir)
    train = read_training(config, arguments.data_dir, leave_out=arguments.leave_out)
    if config.teacher:
        folders = [folder] if config.starts_from else []
        if config.teacher.num_replaced or not config.starts_from:
            folders.append(Path("runs") / f"{config.name}-teacher")
        paths = [arguments.taught] if arguments.taught else [each / TAUGHT_FILE for each in folders]
        train[TAUGHT] = [text for path in paths for text in read_taught(path, len(labels))]
    vocabulary = vocabularies_of_run(folder, lambda: {"words": first_vocabulary(config, train)})["words"]
    print(f"{len(vocabulary)} words;", ", ".join(f"{name} {len(part)}" for name, part in train.items()))

    network = Classifier(
        num_words=len(vocabulary), num_labels=len(labels), multi_label=config.multi_label, config=config.network
    )
    if config.starts_from:
        network.load_state_dict(torch.load(folder / START, weights_only=True)["network"])
    elif config.word_vectors:
        start_from_vectors(network.words, vocabulary, arguments.data_dir)
    best = fit_classifier(network, vocabulary, config=config, labels=labels, train=train, dev=dev, folder=folder)
    if config.start_share:
        mix_in(torch.load(folder / START, weights_only=True)["network"], best, config.start_share)
    encoder = TextEncoder(vocabulary, cache_size=500_000)
    for name, value in score_sets(best, encoder, dev, config, labels).items():
        print(f"dev {name:40} {value:6.2f}")
    if arguments.bundle:
        figures = publish(
            best,
            vocabulary,
            config=config,
            labels=labels,
            folder=arguments.bundle,
            data_dir=arguments.data_dir,
            run=folder,
        )
        for name, value in figures.items():
            print(f"{name:40} {value:6.2f}")


def fit_classifier(
    network: Classifier,
    vocabulary: Vocabulary,
    *,
    config: ClassifierRun,
    labels: Sequence[str],
    train: Mapping[str, Sequence[LabelledText]],
    dev: Sequence[TextSet],
    folder: Path,
    display: Display | None = None,
) -> Classifier:
    """Train a network on sets of texts and return the weights that are best on the dev sets; see
    :func:`training.loop.fit`."""
    encoder = TextEncoder(vocabulary, cache_size=500_000)
    mixture = mixture_of(config, train, encoder)
    best = fit(
        network,
        mixture.epoch,
        steps_per_epoch=mixture.batches_per_epoch(),
        score=lambda averaged: score_sets(averaged, encoder, dev, config, labels),
        config=config.fit,
        folder=folder,
        display=display,
    )
    assert isinstance(best, Classifier)
    return best


@torch.no_grad()
def mix_in(start: Mapping[str, Tensor], network: Classifier, share: float) -> None:
    """Move a network's weights by ``share`` of the way back to those that it started from, in place: a mean of both
    keeps most of what each knows (Wortsman et al. 2022)."""
    for name, weight in network.state_dict().items():
        weight.lerp_(start[name], share)


def first_vocabulary(config: ClassifierRun, train: Mapping[str, Sequence[LabelledText]]) -> Vocabulary:
    """The most frequent words of all training texts."""
    texts = (text.text for part in train.values() for text in part)
    return vocabulary_of_texts(texts, max_words=config.max_words, min_count=config.min_count)


def mixture_of(config: ClassifierRun, train: Mapping[str, Sequence[LabelledText]], encoder: TextEncoder) -> Mixture:
    """The training texts as examples, mixed as the configuration says."""
    return Mixture(
        examples={name: examples_of(part, encoder) for name, part in train.items()},
        sample=config.sample,
        batch_words=config.batch_words,
        batch_texts=config.batch_texts,
        max_tokens=config.max_tokens,
    )


if __name__ == "__main__":
    main()

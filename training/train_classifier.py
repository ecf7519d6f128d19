"""Train a text classifier: corpora, network, fit, calibrate, evaluate, export.

``python -m training.train_classifier --help``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from service.bundle import VOCABULARIES
from service.text.pipeline import TextEncoder
from service.text.vocabulary import Vocabulary, load_vocabularies
from training.calibration import fit_temperature
from training.classifier_run import UNLABELLED, ClassifierRun
from training.command_line import publishing_parser
from training.config import load_config
from training.corpora.text_tasks import TASKS, TextSet, read_plain_reviews, read_sets, read_training
from training.loop import fit, seed_everything
from training.networks.classifier import Classifier
from training.publish_classifier import publish
from training.text_mixture import TextMixture, labelled_examples, taught_examples, unlabelled_examples
from training.text_prediction import predict_logits, score_texts
from training.vocabularies import vocabularies_of_run, vocabulary_of_texts
from training.word_vectors import start_from_vectors


def main() -> None:
    arguments = publishing_parser(__doc__).parse_args()
    config = load_config(ClassifierRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    dev = read_sets(config.task, "dev", arguments.data_dir)
    parts = [part.name for part in dev]  # those that the task is made of, each with a training set of its own
    train = {name: read_training(name, arguments.data_dir) for name in parts}
    texts = [text.text for rows in train.values() for text in rows]
    vocabulary = vocabularies_of_run(folder, lambda: {"words": first_vocabulary(config, texts)})["words"]
    encoder = TextEncoder(vocabulary, cache_size=500_000)

    num_labels = len(TASKS[config.task])
    examples = {name: labelled_examples(rows, encoder, num_labels) for name, rows in train.items()}
    for name, path in config.labelled.items():
        examples[name] = taught_examples(Path(path), encoder, num_labels)
    if UNLABELLED in config.epoch_texts:
        examples[UNLABELLED] = unlabelled_examples(read_plain_reviews(arguments.data_dir), encoder, num_labels)

    network = Classifier(num_words=len(vocabulary), num_labels=num_labels, config=config.network)
    if config.pretrained:
        load_pretrained(network, Path(config.pretrained))
    elif config.word_vectors:
        start_from_vectors(network.words, vocabulary, arguments.data_dir)

    mixture = TextMixture(
        examples=examples,
        epoch_texts=config.epoch_texts,
        batch_words=config.batch_words,
        batch_texts=config.batch_texts,
        max_tokens=config.max_tokens,
    )
    best = fit(
        network,
        mixture.epoch,
        steps_per_epoch=mixture.batches_per_epoch(),
        score=lambda averaged: score_texts(averaged, encoder, dev),
        config=config.fit,
        folder=folder,
    )
    for name, value in score_texts(best, encoder, dev).items():
        print(f"dev {name:20} {value:6.2f}")
    if not arguments.bundle:
        return
    figures = publish(
        best,
        vocabulary,
        config=config,
        temperature=temperature_of(best, encoder, dev),
        folder=arguments.bundle,
        data_dir=arguments.data_dir,
        report=folder / "report",
    )
    for name, value in figures.items():
        print(f"{name:24} {value:6.2f}")


def first_vocabulary(config: ClassifierRun, texts: Sequence[str]) -> Vocabulary:
    """The most frequent words: of the run that this one starts from, or of the texts."""
    if config.pretrained:
        known = load_vocabularies(Path(config.pretrained) / VOCABULARIES)["words"]
        return Vocabulary(known.tokens[: config.max_words])
    return vocabulary_of_texts(texts, max_words=config.max_words, min_count=config.min_count)


def load_pretrained(network: Classifier, folder: Path) -> None:
    """Start from a language model (its words, and the first layer of each direction) or from another classifier.

    What the other run has in another size or not at all, a head for other classes say, stays new, and is told.
    """
    state = torch.load(folder / "best.pt", weights_only=True)["network"]
    renamed = {name.replace("directions.", "").replace(".encoder.forwards", ""): value for name, value in state.items()}
    own, new = network.state_dict(), []
    for name, value in own.items():
        source = renamed.get(name.removeprefix("encoder."), state.get(name))
        if name == "words.weight":
            source = state[name][: len(value)]
        if source is not None and source.shape == value.shape:
            own[name] = source
        else:
            new.append(name)
    print(f"from {folder}; new: {', '.join(new) or 'nothing'}")
    network.load_state_dict(own)


def temperature_of(network: Classifier, encoder: TextEncoder, dev: Sequence[TextSet]) -> float:
    """Fitted on all dev sets together, each counting the same."""
    smallest = min(len(part.texts) for part in dev)
    rng = np.random.default_rng(0)  # a corpus may lie ordered by class
    chosen = [part.texts[i] for part in dev for i in rng.permutation(len(part.texts))[:smallest]]
    logits = predict_logits(network, encoder, [text.text for text in chosen])
    return fit_temperature(logits, np.array([text.label for text in chosen]))


if __name__ == "__main__":
    main()

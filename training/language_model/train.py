"""Train a language model: corpora, units, network, fit, perplexity, and with ``--bundle`` measure and publish.

``python -m training.language_model.train CONFIG``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from service.bundle import SUBWORDS, VOCABULARIES
from service.text.pipeline import Ids, load_vocabularies
from training.checkpoints import history_of_training
from training.command_line import publishing_parser
from training.config import load_config
from training.displays import Display
from training.language_model.batches import StreamBatch, stream_batches
from training.language_model.bundle_start import network_of_bundle
from training.language_model.config import LanguageModelRun
from training.language_model.corpora import read_splits
from training.language_model.perplexity import stream_perplexity
from training.language_model.units import PIECES, Units, units_of_run
from training.language_model.widening import widen
from training.loop import fit, seed_everything
from training.networks.language_model import LanguageModel
from training.word_vectors import start_from_vectors


def main() -> None:
    parser = publishing_parser(__doc__)
    parser.add_argument("--test", action="store_true", help="print the perplexity of the test texts, too")
    arguments = parser.parse_args()
    config = load_config(LanguageModelRun, arguments.config)
    if arguments.bundle and config.units not in PIECES:
        parser.error(f"{config.units} cannot be published: they do not spell every text; {', '.join(PIECES)} do")
    folder = arguments.run_dir or Path("runs") / config.name
    seed_everything(config.fit.seed)

    if config.starts_from and not (folder / SUBWORDS).exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(config.starts_from) / SUBWORDS, folder / SUBWORDS)
    splits = read_splits(config.sources, arguments.data_dir)
    units = units_of_run(config, folder, [text for split in splits.values() for text in split.train])
    train = [units.encode(text) for split in splits.values() for text in split.train]
    dev = drawn([text for split in splits.values() for text in split.dev], units, config.dev_tokens)
    network = LanguageModel(vocabulary_size=units.size, config=config.network)
    if config.starts_from:
        widen(network, network_of_bundle(Path(config.starts_from)))
    elif config.word_vectors:
        start_from_vectors(network.embedding, load_vocabularies(folder / VOCABULARIES)["words"], arguments.data_dir)
    num_weights = sum(weight.numel() for weight in network.parameters())
    print(f"{len(train):,} texts, {sum(map(len, train)):,} units; {units.size:,} kinds; {num_weights:,} weights")

    best = fit_language_model(network, train, dev, units, config=config, folder=folder)
    for name, value in scored(best, dev, units.end_id).items():
        print(f"dev {name:24} {value:8.2f}")
    if arguments.test:
        test = [units.encode(text) for split in splits.values() for text in split.test]
        for name, value in stream_perplexity(best, test, units.end_id).items():
            print(f"test {name:23} {value:8.2f}")
    if arguments.bundle:
        # It needs the service's packages, which training alone does not.
        from training.language_model.publish import publish

        figures = publish(best, config=config, folder=arguments.bundle, data_dir=arguments.data_dir, run=folder)
        print(figures["texts"]["all"])


def fit_language_model(
    network: LanguageModel,
    train: Sequence[Ids],
    dev: Sequence[Ids],
    units: Units,
    *,
    config: LanguageModelRun,
    folder: Path,
    display: Display | None = None,
) -> LanguageModel:
    """Train a network on texts in ids and return the weights of the lowest perplexity on dev; see
    :func:`training.loop.fit`."""
    epochs = Epochs(network, train, config, end_id=units.end_id, num_done=len(history_of_training(folder)))
    best = fit(
        network,
        epochs.batches,
        steps_per_epoch=epochs.num_steps,
        score=lambda averaged: scored(averaged, dev, units.end_id),
        config=config.fit,
        folder=folder,
        display=display,
    )
    assert isinstance(best, LanguageModel)
    return best


class Epochs:
    """The batches of each epoch behind ``num_done``; past ``sampled_minutes`` or ``sampled_epochs`` the network's
    softmax is no longer sampled."""

    def __init__(
        self, network: LanguageModel, texts: Sequence[Ids], config: LanguageModelRun, *, end_id: int, num_done: int = 0
    ) -> None:
        self.network, self.texts, self.config, self.end_id = network, texts, config, end_id
        self.num_done = num_done
        self._lengths = np.array([len(text) + 1 for text in texts])
        self._began_at = time.perf_counter()
        num_tokens = min(config.epoch_tokens or int(self._lengths.sum()), int(self._lengths.sum()))
        self.num_steps = max(1, num_tokens // (config.num_streams * config.num_steps))

    def batches(self, rng: np.random.Generator) -> Iterator[StreamBatch]:
        """A random part of the texts as streams."""
        order = rng.permutation(len(self.texts))
        if self.config.epoch_tokens:
            order = order[: 1 + int(np.searchsorted(self._lengths[order].cumsum(), self.config.epoch_tokens))]
        for batch in stream_batches(
            [self.texts[i] for i in order],
            num_streams=self.config.num_streams,
            num_steps=self.config.num_steps,
            end_id=self.end_id,
            rng=rng,
        ):
            if self._is_past_sampling():
                self.network.num_sampled = 0
            yield batch
        self.num_done += 1

    def _is_past_sampling(self) -> bool:
        minutes, epochs = self.config.sampled_minutes, self.config.sampled_epochs
        return (minutes is not None and self.minutes > minutes) or (epochs is not None and self.num_done >= epochs)

    @property
    def minutes(self) -> float:
        return (time.perf_counter() - self._began_at) / 60


def drawn(texts: Sequence[str], units: Units, num_tokens: int) -> list[Ids]:
    """Texts in random order, in ids, up to so many units; the last is cut."""
    found: list[Ids] = []
    for place in np.random.default_rng(0).permutation(len(texts)):
        if sum(map(len, found)) >= num_tokens:
            break
        found.append(units.encode(texts[place])[:num_tokens])
    return found


def scored(network: LanguageModel, dev: Sequence[Ids], end_id: int) -> dict[str, float]:
    """Perplexities of a unit by direction, and the score that chooses the best epoch."""
    figures = stream_perplexity(network, dev, end_id)
    return {"score": -sum(figures.values()), **figures}


if __name__ == "__main__":
    main()

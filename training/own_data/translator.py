"""A translator of one's own: from sentence pairs to a bundle that ``POST /translate`` serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from service.bundle import SUBWORDS, load_bundle
from service.errors import BundleError
from service.text.subwords import Subwords
from training.checkpoints import new_translator
from training.config import load_config
from training.corpora.parallel import Pair, PairSet
from training.loop import seed_everything
from training.networks.translator import Translator
from training.own_data.errors import DataError
from training.own_data.options import CONFIGS, Clock, Say, TrainOptions
from training.own_data.pairs import PairData, PairOptions, read_pair_splits
from training.own_data.progress import TimeLeft
from training.own_data.recipe import Origin
from training.own_data.sizes import translator_run
from training.own_data.verdict import SURE, Verdict, sign_test
from training.own_data.workspace import Workspace, check_free, workspace
from training.translator.bundle_start import state_of_bundle
from training.translator.calibrate import Reliability
from training.translator.config import TranslatorRun
from training.translator.evaluate import TranslatedSet
from training.translator.evaluate_confidence import calibrate_on
from training.translator.predict import judge as quality_of
from training.translator.prepare import common_characters, is_usable, learn_from, write
from training.translator.publish import Facts, write_bundle
from training.translator.scores import sentence_chrf
from training.translator.subwords import SubwordPairEncoder
from training.translator.train import Epochs, fit_translator
from training.translator.variation import mask_pair

FEWEST_CALIBRATED = 200  # pairs of dev; fewer say too little of a confidence
MOST_SCORED = 200  # pairs of dev that score an epoch
MEMORY = "translation memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatorFiles:
    """The files of a translator's data."""

    train: Path
    dev: Path | None = None
    test: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedPair:
    """The direction of a translator that was written, and how it compares with the baseline."""

    direction: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranslatorStart:
    """The weights and subwords of a published translator."""

    name: str
    licence: str
    subwords: bytes
    network: Translator

    @classmethod
    def open(cls, folder: Path, direction: str) -> TranslatorStart | None:
        """Read a bundle; None if it is one of other languages or of another kind of network. Raises DataError if it
        is no translator."""
        try:
            bundle = load_bundle(folder)
            if direction not in {f"{pair.source}-{pair.target}" for pair in bundle.manifest.pairs}:
                return None
            config = load_config(TranslatorRun, CONFIGS / f"{bundle.manifest.name}.toml")
            network = new_translator(config, Subwords.load(bundle.path(SUBWORDS)))
            network.load_state_dict(state_of_bundle(folder))
        except BundleError as error:
            raise DataError(f"{folder} is no translator to start from: {error}.") from error
        except (OSError, ValueError, RuntimeError, KeyError, IndexError):
            return None  # a network of another kind
        return cls(
            name=f"{bundle.manifest.name} {bundle.manifest.version}",
            licence=bundle.manifest.licence,
            subwords=bundle.path(SUBWORDS).read_bytes(),
            network=network,
        )


def train_translator(
    files: TranslatorFiles, options: TrainOptions, *, reading: PairOptions, starts: Sequence[Path], say: Say
) -> TrainedPair:
    """Train a translator and write its bundle; returns how it compares with a translation memory.

    It starts from the first of the bundles ``starts`` that has the languages. Raises DataError.
    """
    clock = Clock(options.minutes)
    check_free(options.out, overwrite=options.overwrite)
    data = read_pair_splits(files.train, files.dev, files.test, reading, options.seed)
    for note in data.notes:
        say(note)
    with workspace(options.out, overwrite=options.overwrite) as made:
        seed_everything(options.seed)
        found = (TranslatorStart.open(folder, data.direction) for folder in starts)
        start = next((each for each in found if each), None)
        config = translator_run(
            name=options.name,
            title=f"Translates as in {files.train.name}",
            direction=data.direction,
            num_pairs=len(data.train),
            minutes=clock.minutes_to_train,
            seed=options.seed,
        )
        if start:
            config = replace(config, network=start.network.config, fit=replace(config.fit, learning_rate=5e-4))
        kept = prepare_pairs(data, config, made.run, start.subwords if start else None)
        say(f"{kept:,} of {len(data.train):,} pairs are fit to learn from, {len(data.dev):,} to choose by, "
            f"{len(data.test):,} to measure by.")  # fmt: skip
        subwords = Subwords.load(made.run / SUBWORDS)
        network = start.network.train() if start else new_translator(config, subwords)
        weights = sum(value.numel() for value in network.parameters())
        say(
            f"A GRU of {config.network.decoder_size} over {len(subwords):,} subwords, {weights / 1e6:.1f} M weights"
            f"{f', starting from {start.name}' if start else ''}."
        )
        best = fit_own(network, subwords, data, config, made.run)
        sizes = (kept, len(data.dev), len(data.test))
        origin = Origin(options=options, data=files.train.name, sizes=sizes, start=start)
        verdict = write_own_translator(best, subwords, data, config, origin, made)
    return TrainedPair(direction=data.direction, verdict=verdict)


def fit_own(network: Translator, subwords: Subwords, data: PairData, config: TranslatorRun, folder: Path) -> Translator:
    """Train a network on the pairs of a folder and return the weights that are best on dev."""
    encoder = SubwordPairEncoder(subwords)
    return fit_translator(
        network,
        Epochs(config, folder, encoder),
        encoder,
        [PairSet(name=f"own {data.direction}", pairs=tuple(data.dev[:MOST_SCORED]))],
        config=config,
        folder=folder,
        display=TimeLeft(limit_minutes=config.fit.limit_minutes or 0, figure="chrF"),
    )


def write_own_translator(
    network: Translator,
    subwords: Subwords,
    data: PairData,
    config: TranslatorRun,
    origin: Origin,
    made: Workspace,
) -> Verdict:
    """Write the bundle and its report; returns how it compares with a translation memory."""
    memory = TranslationMemory(data.train)
    verdicts: list[Verdict] = []

    def recipe(test: Sequence[TranslatedSet]) -> str:
        verdicts.append(compare_with(memory, test[0]))
        return origin.recipe(chosen="The weights were chosen", verdict=verdicts[0].text)

    name = f"own {data.direction}"
    dev = PairSet(name=name, pairs=tuple(data.dev))
    write_bundle(
        network,
        subwords,
        config=config,
        facts=Facts(
            terms=origin.terms,
            dev=[dev],
            test=[PairSet(name=name, pairs=tuple(data.test))],
            calibrate=lambda translator: calibrated(translator, dev, data.direction, config.good_share),
            recipe=recipe,
        ),
        folder=made.bundle,
        report=made.report,
    )
    return verdicts[0]


def prepare_pairs(data: PairData, config: TranslatorRun, folder: Path, subwords: bytes | None) -> int:
    """Write the usable pairs, protected items masked, and the subwords into a folder; returns the number of pairs.

    Raises DataError if none is left.
    """
    usable = [pair for pair in data.train if is_usable(pair)]
    alphabet = common_characters(usable)
    rng = np.random.default_rng(config.fit.seed)
    masked = [each for pair in usable if (each := mask_pair(pair, alphabet, rng)) is not None]
    if not masked:
        raise DataError("No pair is fit to learn from: sides are too long, or differ in their numbers and names.")
    (folder / SUBWORDS).write_bytes(subwords or learn_from(masked, config))
    write(folder, [("own", masked)])
    return len(masked)


def calibrated(
    translator: Any, dev: PairSet, direction: str, good_share: float
) -> tuple[dict[str, Any] | None, Mapping[str, Reliability]]:
    """The confidence of the manifest and its reliability; None and nothing where dev is too small for it."""
    if len(dev.pairs) < FEWEST_CALIBRATED:
        return None, {}
    try:
        return calibrate_on(translator, {direction: [dev]}, precision=good_share)
    except ValueError:  # all translations are good, or all are bad
        return None, {}


class TranslationMemory:
    """The baseline: the translation of the most similar source that was learned from, by TF-IDF of characters."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.neighbors import NearestNeighbors

        self._targets = [pair.target for pair in pairs]
        self._vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True)
        features = self._vectorizer.fit_transform([pair.source for pair in pairs])
        self._neighbours = NearestNeighbors(n_neighbors=1, metric="cosine").fit(features)

    def translate(self, sources: Sequence[str]) -> list[str]:
        """The targets of the nearest sources."""
        places = self._neighbours.kneighbors(self._vectorizer.transform(sources), return_distance=False)
        return [self._targets[place] for place in places[:, 0]]


def compare_with(memory: TranslationMemory, test: TranslatedSet) -> Verdict:
    """Compare the chrF of the test set, and of each sentence of it (sign test)."""
    pairs = test.source.pairs
    answers = memory.translate([pair.source for pair in pairs])
    other = quality_of(answers, pairs)
    scores = [
        (sentence_chrf(ours, pair.target), sentence_chrf(theirs, pair.target))
        for ours, theirs, pair in zip(test.translations, answers, pairs, strict=True)
    ]
    chance = sign_test(sum(a > b for a, b in scores), sum(b > a for a, b in scores))
    both = (
        f"chrF {test.quality.chrf:.1f} and BLEU {test.quality.bleu:.1f}, {MEMORY} {other.chrf:.1f} and {other.bleu:.1f}"
    )
    if test.quality.chrf > other.chrf:
        text = f"The network is better: {both}." if chance < SURE else f"The baseline is as good: {both}."
    else:
        text = f"The baseline is better: {both}. More pairs help, or more minutes."
    return Verdict(network=test.quality.chrf, baseline=other.chrf, chance=chance, text=text)

"""Sizes of networks and lengths of training by the amount of data."""

from __future__ import annotations

from dataclasses import replace

from training.classifier.config import ClassifierRun
from training.classifier.figures import BOTH
from training.config import FitConfig
from training.language_model.config import LanguageModelRun, UnitKind
from training.networks.classifier import ClassifierConfig
from training.networks.language_model import LanguageModelConfig
from training.networks.tagger import TaggerConfig
from training.networks.translator import TranslatorConfig
from training.tagger.config import TaggerRun
from training.translator.config import TranslatorRun
from training.vocabularies import VocabularyConfig

FEW_TEXTS, MANY_TEXTS = 2000, 30_000
FEW_WORDS, MANY_WORDS = 20_000, 200_000
FEW_PAIRS, WORDS_OF_PAIR = 10_000, 15
FEWEST_DEV = 50  # examples; fewer choose no epoch
FEW_CHARACTERS = 1_000_000  # fewer are learned one by one, more in subwords


def classifier_run(
    *,
    name: str,
    title: str,
    labels: tuple[str, ...],
    multi_label: bool,
    num_texts: int,
    num_dev: int,
    language: str,
    minutes: float,
    seed: int,
) -> ClassifierRun:
    """The configuration of a classifier for so many training texts, trained at most so many minutes."""
    few, many = num_texts < FEW_TEXTS, num_texts >= MANY_TEXTS
    batch_texts = 16 if few else 64 if many else 32
    return ClassifierRun(
        name=name,
        version="1.0.0",
        description=title,
        languages=(language,),
        labels=labels,
        multi_label=multi_label,
        corpora=(name,),
        figure="macro_f1" if multi_label else BOTH,
        max_words=30_000,
        min_count=2 if many else 1,
        word_vectors=False,
        batch_words=4000,
        batch_texts=batch_texts,
        network=ClassifierConfig(
            word_size=128,
            hidden_size=96 if few else 192,
            pooling="max",
            dropout=0.5,
            input_dropout=0.3,
            word_dropout=0.1,
            weight_drop=0.3,
        ),
        fit=fit_config(
            steps_per_epoch=-(-num_texts // batch_texts), minutes=minutes, seed=seed, rate=2e-3, num_dev=num_dev
        ),
    )


def fit_config(
    *,
    steps_per_epoch: int,
    minutes: float,
    seed: int,
    rate: float,
    wanted_steps: int = 4000,
    most_epochs: int = 60,
    num_dev: int | None = None,
) -> FitConfig:
    """The length of a training run: about ``wanted_steps``, at most so many epochs and minutes.

    It ends early if the figure on dev no longer rises, unless ``num_dev`` examples are too few to tell: then the last
    epoch is taken. On three splits of the 60 tickets of the guide the last of 40 epochs was right on 13 to 15 of 18
    texts, the eighth on 10 to 13.
    """
    num_epochs = max(4, min(most_epochs, round(wanted_steps / max(1, steps_per_epoch))))
    return FitConfig(
        num_epochs=num_epochs,
        learning_rate=rate,
        betas=(0.9, 0.98),
        limit_minutes=minutes,
        warmup_steps=min(100, num_epochs * steps_per_epoch // 10 + 1),
        gradient_clip=1.0,
        # The average spans the last twentieth of a short run, so that its first weights are forgotten.
        ema_decay=min(0.998, 1 - 20 / max(100, num_epochs * steps_per_epoch)),
        patience=max(5, num_epochs // 3),
        evaluate_every=num_epochs if is_too_few(num_dev) else 1,
        seed=seed,
    )


def is_too_few(num_dev: int | None) -> bool:
    """Tell whether so many dev examples are too few to choose an epoch by."""
    return num_dev is not None and num_dev < FEWEST_DEV


def tagger_run(*, name: str, num_words: int, num_dev: int, minutes: float, seed: int) -> TaggerRun:
    """The configuration of a tagger for so many training words, trained at most so many minutes."""
    few = num_words < FEW_WORDS
    batch_words = 400 if few else 1000 if num_words < MANY_WORDS else 2000
    steps = max(1, num_words // batch_words)
    return TaggerRun(
        name=name,
        version="1.0.0",
        batch_words=batch_words,
        vocabulary=VocabularyConfig(min_count=1, min_suffix_count=2 if few else 5, min_character_count=1 if few else 5),
        network=TaggerConfig(
            num_layers=1 if few else 2, hidden_size=128 if few else 256, dropout=0.5, input_dropout=0.3
        ),
        fit=fit_config(
            steps_per_epoch=steps,
            minutes=minutes,
            seed=seed,
            rate=1e-3,
            wanted_steps=2000,
            most_epochs=40,
            num_dev=num_dev,
        ),
    )


def language_model_run(
    *,
    name: str,
    title: str,
    num_characters: int,
    minutes: float,
    seed: int,
    start: LanguageModelConfig | None = None,
) -> LanguageModelRun:
    """The configuration of a language model for so much text, trained at most so many minutes; with the sizes of the
    subword network ``start`` if training begins with its weights."""
    few = num_characters < FEW_CHARACTERS
    units: UnitKind = "characters" if few and start is None else "subwords"
    num_units = num_characters if units == "characters" else num_characters // 4
    num_streams, num_steps = (16, 64) if units == "characters" else (16, 32) if few else (32, 32)
    sizes = start or LanguageModelConfig(embedding_size=64 if few else 192, hidden_size=256 if few else 384)
    return LanguageModelRun(
        name=name,
        version="1.0.0",
        description=title,
        units=units,
        vocabulary_size=400 if few else max(1000, min(8000, num_characters // 500)),
        sources=(name,),
        epoch_tokens=0,
        dev_tokens=20_000,
        num_streams=num_streams,
        num_steps=num_steps,
        network=replace(sizes, input_dropout=0.1, dropout=0.2, reset_rate=0.02),
        fit=fit_config(
            steps_per_epoch=max(1, num_units // (num_streams * num_steps)),
            minutes=minutes,
            seed=seed,
            rate=1e-3 if start else 3e-3,
            wanted_steps=6000,
        ),
    )


def translator_run(
    *, name: str, title: str, direction: str, num_pairs: int, minutes: float, seed: int
) -> TranslatorRun:
    """The configuration of a translator for so many training pairs, trained at most so many minutes."""
    few = num_pairs < FEW_PAIRS
    batch_tokens = 1000 if few else 2000
    steps = max(1, num_pairs * WORDS_OF_PAIR // batch_tokens)
    return TranslatorRun(
        name=name,
        version="1.0.0",
        description=title,
        directions=(direction,),
        corpora=(),
        vocabulary_size=max(400, min(8000, num_pairs // 4)),
        batch_tokens=batch_tokens,
        network=TranslatorConfig(
            embedding_size=128 if few else 256,
            encoder_size=128 if few else 256,
            decoder_size=192 if few else 384,
            embedding_dropout=0.2,
            source_dropout=0.2,
            readout_dropout=0.3,
        ),
        fit=fit_config(
            steps_per_epoch=steps, minutes=minutes, seed=seed, rate=2e-3, wanted_steps=12_000, most_epochs=40
        ),
    )

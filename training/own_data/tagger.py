"""A tagger of one's own: from tagged sentences to a bundle that ``POST /tag`` serves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from service.text.pipeline import Vocabulary, WordEncoder, normalize
from service.text.spans import bioes_tags, spans_of, tags_of
from training.classifier.temperature import fit_temperature
from training.corpora.examples import TaggedSentence
from training.corpora.tagging import Heads
from training.loop import fit, seed_everything
from training.networks.tagger import Tagger
from training.own_data.errors import count_text
from training.own_data.options import Clock, Say, TrainOptions
from training.own_data.progress import TimeLeft
from training.own_data.recipe import Origin
from training.own_data.sizes import tagger_run
from training.own_data.tagged import NO_TAG, TaggedData, TaggedOptions, read_tagged_splits
from training.own_data.tagger_bundle import TaggerBaselines, TrainedTagger, write_own_tagger
from training.own_data.tagger_start import TaggerStart, alike_tags
from training.own_data.verdict import Verdict
from training.own_data.workspace import check_free, workspace
from training.tagger.batches import TaggedExample, bits_of
from training.tagger.config import TaggerRun
from training.tagger.mixture import Mixture
from training.tagger.predict import decode_tags, score_sentences, score_spans
from training.vocabularies import build_vocabularies, count_words, dropout_rates

LAYERS = {"upos": "upos", "xpos": "xpos", "entity": "ner"}  # the layer of a sentence that each head learns
NOTHING = {"upos": ("X",), "xpos": (NO_TAG,), "entity": ("O",)}  # the tags of a head without a layer and a start
DEV_WORDS = 20_000  # that score an epoch
TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggerFiles:
    """The files of a tagger's data."""

    train: Path
    dev: Path | None = None
    test: Path | None = None


def train_tagger(
    files: TaggerFiles, options: TrainOptions, *, reading: TaggedOptions, starts: Sequence[Path], say: Say
) -> list[Verdict]:
    """Train a tagger and write its bundle; returns how it compares with the baseline, a layer each.

    It starts from the first of the bundles ``starts``, whose answers it learns for the layers that the data lack.
    Raises DataError.
    """
    clock = Clock(options.minutes)
    check_free(options.out, overwrite=options.overwrite)
    data = read_tagged_splits(files.train, files.dev, files.test, reading, options.seed)
    for note in data.notes:
        say(note)
    labels = f" of {count_text(len(data.labels), 'label')}" if data.labels else ""
    say(
        f"Tags: {', '.join(data.layers)}{labels}; {len(data.train):,} sentences to learn from, {len(data.dev):,} to "
        f"choose by, {len(data.test):,} to measure by."
    )
    with workspace(options.out, overwrite=options.overwrite) as made:
        seed_everything(options.seed)
        start = TaggerStart.open(starts[0]) if starts else None
        heads = heads_of(data, start)
        baselines = TaggerBaselines.fit(data)
        trained = fit_own(data, heads, start, clock, options, made.run, say)
        sizes = (len(data.train), len(data.dev), len(data.test))
        origin = Origin(options=options, data=files.train.name, sizes=sizes, start=start)
        return write_own_tagger(trained, data, baselines, origin, made)


def heads_of(data: TaggedData, start: TaggerStart | None) -> Heads:
    """The tags of each head: those of the data, or where they lack a layer those of the start."""

    def tags(head: str) -> Sequence[str]:
        layer = LAYERS[head]
        if layer not in data.layers:
            return tuple(start.labels[head]) if start else NOTHING[head]
        if head == "entity":
            return tuple(bioes_tags(data.labels))
        return tuple(sorted({tag for s in data.train for tag in s.tags.get(layer, ())} - {NO_TAG}))

    return {head: tags(head) for head in LAYERS}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BegunTagger:
    """A network before training and what belongs to it."""

    network: Tagger
    vocabularies: dict[str, Vocabulary]
    config: TaggerRun
    borrowed: Sequence[Mapping[str, Sequence[str]]]  # tags that the start gives each training sentence, by head


def begin(
    data: TaggedData, heads: Heads, start: TaggerStart | None, config: TaggerRun, counts: Counter[str]
) -> BegunTagger:
    """A new network, or one with the weights of a bundle. It knows the words of the sentences alone."""
    vocabularies = build_vocabularies(counts, config.vocabulary)
    if start is None:
        network = Tagger.of(vocabularies, heads, config.network)
        nothing: list[dict[str, Sequence[str]]] = [{} for _ in data.train]
        return BegunTagger(network=network, vocabularies=vocabularies, config=config, borrowed=nothing)
    config = replace(
        config,
        network=start.config(config.network),
        fit=replace(config.fit, warmup_steps=min(20, config.fit.warmup_steps)),
        vocabulary=replace(config.vocabulary, num_characters=start.num_characters),
    )
    held_out = [normalize(word) for s in (*data.dev, *data.test) for word in s.words]
    vocabularies = start.vocabularies_with(vocabularies, held_out)
    borrowed = start.tags_of([s.words for s in data.train])
    own = [own_tags(s, "ner") for s in data.train] if "ner" in data.layers else []
    alike = alike_tags(own, [tags["entity"] for tags in borrowed]) if own else {}
    network = start.network(vocabularies, heads, config.network, alike)
    return BegunTagger(network=network, vocabularies=vocabularies, config=config, borrowed=borrowed)


def fit_own(
    data: TaggedData,
    heads: Heads,
    start: TaggerStart | None,
    clock: Clock,
    options: TrainOptions,
    folder: Path,
    say: Say,
) -> TrainedTagger:
    """Train a network, from a bundle's weights if there is a start, and calibrate its entities on dev.

    It learns with the words of the sentences alone. Words that only the bundle has are added at the end.
    """
    counts = count_words(s.words for s in data.train)
    config = tagger_run(
        name=options.name,
        num_words=counts.total(),
        num_dev=len(data.dev),
        minutes=clock.minutes_to_train,
        seed=options.seed,
    )
    begun = begin(data, heads, start, config, counts)
    config, vocabularies = begun.config, begun.vocabularies
    encoder = WordEncoder(vocabularies, num_characters=config.vocabulary.num_characters, cache_size=200_000)
    weights = sum(value.numel() for value in begun.network.parameters())
    say(
        f"{config.network.num_layers} LSTM layers of {config.network.hidden_size} a direction over "
        f"{len(vocabularies['words']):,} words, {weights / 1e6:.1f} M weights"
        f"{f', starting from {start.name}' if start else ''}."
    )
    best = fit_begun(begun, data, heads, counts, encoder, folder)
    temperature = calibrate_entities(best, encoder, data, heads)
    if start:
        vocabularies = start.widen(best, vocabularies)
    return TrainedTagger(network=best, vocabularies=vocabularies, heads=heads, config=config, temperature=temperature)


def fit_begun(
    begun: BegunTagger, data: TaggedData, heads: Heads, counts: Counter[str], encoder: WordEncoder, folder: Path
) -> Tagger:
    """Train a network and return the weights that are best on dev; see :func:`training.loop.fit`."""
    config = begun.config
    mixture = Mixture(
        examples={"own": examples_of(data, heads, begun.borrowed)},
        num_words={},
        batch_words=config.batch_words,
        augment=config.augment,
        encoder=encoder,
        rates=dropout_rates(begun.vocabularies["words"], counts, config.augment.word_dropout),
    )
    scored = first_sentences(data.dev, DEV_WORDS)
    best = fit(
        begun.network,
        mixture.epoch,
        steps_per_epoch=mixture.batches_per_epoch(),
        score=lambda averaged: score_layers(averaged, encoder, scored, data, heads),
        config=config.fit,
        folder=folder,
        display=TimeLeft(
            limit_minutes=config.fit.limit_minutes or 0,
            figure="F1" if "ner" in data.layers else "accuracy",
        ),
    )
    assert isinstance(best, Tagger)
    return best.cpu()


def examples_of(data: TaggedData, heads: Heads, borrowed: Sequence[Mapping[str, Sequence[str]]]) -> list[TaggedExample]:
    """The training sentences with their own tags and, of the layers that they lack, the borrowed ones by head."""
    lacking = [head for head, layer in LAYERS.items() if layer not in data.layers]
    return [
        TaggedExample(
            words=sentence.words,
            allowed={
                head: bits_of(more[head] if head in lacking else own_tags(sentence, layer), heads[head])
                for head, layer in LAYERS.items()
                if head not in lacking or head in more
            },
        )
        for sentence, more in zip(data.train, borrowed, strict=True)
    ]


def own_tags(sentence: TaggedSentence, layer: str) -> Sequence[str]:
    """The tags of a layer, those of entities in BIOES; unknown ones where the sentence lacks it."""
    tags = sentence.tags.get(layer, [NO_TAG] * len(sentence.words))
    return tags_of(spans_of(tags), len(tags)) if layer == "ner" and layer in sentence.tags else tags


def first_sentences(sentences: Sequence[TaggedSentence], num_words: int) -> list[TaggedSentence]:
    """Sentences in random order, up to so many words."""
    chosen: list[TaggedSentence] = []
    for place in np.random.default_rng(0).permutation(len(sentences)):
        if sum(len(s.words) for s in chosen) >= num_words:
            break
        chosen.append(sentences[place])
    return chosen


def score_layers(
    network: Tagger, encoder: WordEncoder, dev: Sequence[TaggedSentence], data: TaggedData, heads: Heads
) -> dict[str, float]:
    """Accuracy of tags and F1 of entities in percent. In ``score`` the likelihood of the right tags counts as much, for
    in few sentences many epochs are right equally often."""
    names = [head for head, layer in LAYERS.items() if layer in data.layers]
    predicted: dict[str, list[list[str]]] = {name: [[] for _ in dev] for name in names}
    likelihoods: dict[str, list[float]] = {name: [] for name in names}
    for batch in score_sentences(network, encoder, [s.words for s in dev], names):
        for name in names:
            places = {tag: place for place, tag in enumerate(heads[name])}
            rows = decode_tags(batch.scores[name], batch.lengths, heads[name])
            for index, row, scores in zip(batch.indices, rows, batch.scores[name], strict=True):
                predicted[name][index] = row
                gold = own_tags(dev[index], LAYERS[name])
                likelihoods[name] += [float(scores[i, places[t]]) for i, t in enumerate(gold) if t in places]
    figures: dict[str, float] = {}
    for name in names:
        gold_rows = [own_tags(s, LAYERS[name]) for s in dev]
        if name == "entity":
            figures["entity F1"] = 100 * score_spans(gold_rows, predicted[name], data.labels).micro.f1
        else:
            pairs = [
                (g, p)
                for gold, row in zip(gold_rows, predicted[name], strict=True)
                for g, p in zip(gold, row, strict=True)
            ]
            right = [g == p for g, p in pairs if g != NO_TAG]
            figures[f"{name} accuracy"] = 100 * float(np.mean(right))
    likely = [100 * float(np.exp(np.mean(values))) for values in likelihoods.values()]
    return {"score": float(np.mean([*figures.values(), *likely])), **figures}


def calibrate_entities(network: Tagger, encoder: WordEncoder, data: TaggedData, heads: Heads) -> float:
    """Divide the logits of entities, in place, by the temperature under which the tags of dev are likeliest."""
    if "ner" not in data.layers:
        return 1.0
    places = {tag: place for place, tag in enumerate(heads["entity"])}
    rows, gold = [], []
    for batch in score_sentences(network, encoder, [s.words for s in data.dev], ["entity"]):
        for index, length, scores in zip(batch.indices, batch.lengths, batch.scores["entity"], strict=True):
            tags = own_tags(data.dev[index], "ner")
            known = [i for i in range(length) if tags[i] in places]
            rows.append(scores[known])
            gold += [places[tags[i]] for i in known]
    temperature = fit_temperature(np.concatenate(rows), gold)
    with torch.no_grad():
        network.heads["entity"].weight /= temperature
        network.heads["entity"].bias /= temperature
    return temperature

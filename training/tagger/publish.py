"""Publish a trained tagger as a bundle: graphs, vocabularies, examples, card, and a manifest with measured figures.

:mod:`training.tagger.train` calls it at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from service.bundle import VOCABULARIES
from service.predictors.tagger import TagExample
from service.predictors.tagger import Tagger as Predictor
from service.text.pipeline import Vocabulary, dump_vocabularies
from training.card import Terms
from training.corpora.licences import TAGGER_CORPORA
from training.corpora.tagging import Heads
from training.export import GRAPHS, check_graph, round_weights, write_graphs
from training.networks.tagger import Tagger
from training.publish import finish, precision_fields, write_draft, write_examples
from training.tagger import outside_text
from training.tagger.card import tagger_card
from training.tagger.config import TaggerRun
from training.tagger.evaluate import measure, open_tagger, spans_of_texts, tag_words
from training.tagger.export import HEADS, QUANTIZED, answer_of, build_graph, check_batches
from training.tagger.predict import shift_vector

# The manifest from figures on dev by precision, and on test.
Describe = Callable[[Mapping[str, dict[str, float]], Mapping[str, float]], dict[str, Any]]

MAX_TOKENS = 1024  # of one sentence
EXAMPLE_SENTENCES = (
    "plays well with others",
    "Bridgestone Sports Company said Friday it has set up a joint venture in Hong Kong with a local company",
    "It 's a $ 3 million deal , and I do n't think they 'll like it !",
    "Maria Garcia moved from Spain to Canada in 1998 .",
    "Thank you so much for your help , see you soon ! :)",
    "THE STAFF WAS VERY FRIENDLY AND THE FOOD WAS GREAT",
    "See http://www.example.com/help or e-mail info@example.com for details .",
    "The fee rose by 5 % to A $ 20 on next Tuesday 's invoice .",
    "Our office is closed from 12:30 pm until tomorrow morning .",
    "The PIN is 4821 and the file has 1024 bytes .",
    "Yes",
)


def publish(
    network: Tagger,
    vocabularies: Mapping[str, Vocabulary],
    heads: Heads,
    *,
    config: TaggerRun,
    own_schemes: Mapping[str, float],
    folder: Path,
    data_dir: Path | None,
    report: Path,
) -> dict[str, float]:
    """Call :func:`write_bundle` with the official sets; returns the test figures, including ``own_schemes``, the
    figures of heads that are not exported."""
    network = network.cpu().eval()
    shift_entities(network, heads["entity"], config.entity_shifts)

    def measure_split(tagger: Predictor, split: str) -> dict[str, float]:
        if split == "dev":
            return measure(tagger, "dev", data_dir, title=config.name)
        title = f"{config.name} {config.version}, test"
        figures = measure(tagger, "test", data_dir, title=title, report=report)
        return figures | own_schemes | outside_figures(tagger)

    terms = Terms(corpora=TAGGER_CORPORA, licence="CC BY-SA 4.0", commercial_use=True)
    return write_bundle(
        network,
        vocabularies,
        num_characters=config.vocabulary.num_characters,
        describe=lambda dev, test: manifest_of(
            name=config.name,
            version=config.version,
            description="Parts of speech (Universal and Penn) and named entities of English, web text first.",
            languages=("en",),
            terms=terms,
            num_characters=config.vocabulary.num_characters,
            heads=heads,
            dev=dev,
            test=test,
        ),
        measure=measure_split,
        card=lambda manifest, difference: tagger_card(manifest, config=config, network=network, difference=difference),
        folder=folder,
    )


def write_bundle(
    network: Tagger,
    vocabularies: Mapping[str, Vocabulary],
    *,
    num_characters: int,
    describe: Describe,
    measure: Callable[[Predictor, str], dict[str, float]],
    card: Callable[[Mapping[str, Any], float], str],
    folder: Path,
) -> dict[str, float]:
    """Write the bundle into ``folder``; returns its test figures.

    ``describe`` gives the manifest, ``measure`` the figures of a split (``dev`` or ``test``), ``card`` the card from
    manifest and the largest difference of the graph from torch. The weights of the network are rounded as they ship.
    Raises ExportError, before anything is written, if the graph does not give the output of the network.
    """
    network = network.cpu().eval()
    round_weights(network)
    batches = check_batches({name: len(vocabulary) for name, vocabulary in vocabularies.items()}, num_characters)
    difference = write_graphs(
        folder,
        build=lambda half: build_graph(network, num_characters=num_characters, half=half),
        check=lambda path: check_graph(partial(answer_of, network), path, batches),
        operators=QUANTIZED,
    )
    dump_vocabularies(vocabularies, folder / VOCABULARIES)

    write_draft(folder, describe({}, {}))
    taggers = {precision: open_tagger(folder, precision) for precision in GRAPHS}
    write_examples(taggers, examples_of(taggers["fp32"]), folder)
    dev = {name: measure(tagger, "dev") for name, tagger in taggers.items()}
    test = measure(taggers["fp32"], "test")
    final = describe(dev, test)
    finish(folder, final, card(final, difference), Predictor)
    return test


def outside_figures(tagger: Predictor) -> dict[str, float]:
    """The figures of :mod:`training.tagger.outside_text` for a manifest."""
    scores, counts = outside_text.measure(partial(spans_of_texts, tagger))
    false_dates = counts["false DATE"]
    return {"business_entity_f1": round(100 * scores["micro"].f1, 2), "numbers_with_false_date": float(false_dates)}


def shift_entities(network: Tagger, tags: Sequence[str], shifts: Mapping[str, float]) -> None:
    """Add to the logits of entity labels the shifts that :mod:`training.tagger.tune_entities` found."""
    with torch.no_grad():
        network.heads["entity"].bias += torch.from_numpy(shift_vector(tags, shifts))


def manifest_of(
    *,
    name: str,
    version: str,
    description: str,
    languages: Sequence[str],
    terms: Terms,
    num_characters: int,
    heads: Heads,
    dev: Mapping[str, dict[str, float]],
    test: Mapping[str, float],
) -> dict[str, Any]:
    """The manifest of a bundle; ``dev`` are figures by precision, ``test`` those of the default one."""
    labels = {name: list(heads[name]) for name in HEADS}
    return {
        "name": name,
        "version": version,
        "task": "tag",
        "languages": list(languages),
        "description": description,
        **terms.fields,
        "features": {"num_characters": num_characters},
        "labels": labels,
        "limits": {"max_tokens": MAX_TOKENS},
        "inputs": [
            {
                "name": "ids",
                "type": "int32",
                "shape": ["batch", "time", 2 + num_characters],
            },
            {"name": "lengths", "type": "int32", "shape": ["batch"]},
        ],
        "outputs": [
            {"name": name, "type": "float32", "shape": ["batch", "time", len(tags)]} for name, tags in labels.items()
        ],
        **precision_fields(dev),
        "metrics": dict(test),
    }


def examples_of(tagger: Predictor) -> list[TagExample]:
    """Our example sentences with the answers of the tagger."""
    sentences = [sentence.split() for sentence in EXAMPLE_SENTENCES]
    return [
        TagExample(
            tokens=words,
            upos=row.upos,
            xpos=row.xpos,
            entity=row.entity,
            scores=[round(span.score, 5) for span in row.spans],
        )
        for words, row in zip(sentences, tag_words(tagger, sentences), strict=True)
    ]

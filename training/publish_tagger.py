"""Make a bundle of a trained tagger: graphs, vocabularies, examples, card, manifest, every figure measured on it.

``training/train_tagger.py`` ends with this.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch

from service.bundle import CARD, EXAMPLES, VOCABULARIES, load_bundle, write_manifest
from service.predictors.replay import TagExample, differences, replay
from service.predictors.tagger import Tagger as Predictor
from service.runtime.session import OnnxSession
from service.text.vocabulary import Vocabulary, dump_vocabularies
from training.card import tagger_card
from training.corpora.tagging import Heads
from training.corpora.terms import TAGGER_CORPORA
from training.evaluate_tagger import measure, open_tagger, tag_words
from training.export import ExportError, build_graph, check_graph, quantize, round_weights, save_graph
from training.networks.tagger import Tagger
from training.prediction import shift_vector
from training.tagger_run import TaggerRun

GRAPHS = {"fp32": "model.onnx", "int8": "model.int8.onnx"}
MAX_TOKENS = 1024  # of one sentence
MAX_DRIFT = {"fp32": 0.001, "int8": 0.1}  # of an example's span scores: other processors round otherwise
EXAMPLE_SENTENCES = (
    "plays well with others",
    "Bridgestone Sports Company said Friday it has set up a joint venture in Hong Kong with a local company",
    "It 's a $ 3 million deal , and I do n't think they 'll like it !",
    "Maria Garcia moved from Spain to Canada in 1998 .",
    "Thank you so much for your help , see you soon ! :)",
    "THE STAFF WAS VERY FRIENDLY AND THE FOOD WAS GREAT",
    "See http://www.example.com/help or e-mail info@example.com for details .",
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
    """Write the bundle; returns its test figures, ``own_schemes`` (those of heads that are not exported) among them.

    Raises ExportError, before anything is written, if the graph does not do what the network does.
    """
    num_characters = config.vocabulary.num_characters
    network = network.cpu().eval()
    shift_entities(network, heads["entity"], config.entity_shifts)
    round_weights(network)
    sizes = {name: len(vocabulary) for name, vocabulary in vocabularies.items()}
    with tempfile.TemporaryDirectory() as scratch:
        wide = Path(scratch) / "wide.onnx"
        save_graph(build_graph(network, num_characters=num_characters, half=False), wide)
        check_graph(network, wide, sizes, num_characters)
        stored = Path(scratch) / GRAPHS["fp32"]
        save_graph(build_graph(network, num_characters=num_characters, half=True), stored)
        difference = check_graph(network, stored, sizes, num_characters)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(stored, folder / GRAPHS["fp32"])
        quantize(wide, folder / GRAPHS["int8"])
    dump_vocabularies(vocabularies, folder / VOCABULARIES)

    draft = manifest_of(config, heads, dev={}, test={})
    (folder / EXAMPLES).write_text("[]\n")
    (folder / CARD).write_text("")
    write_manifest(folder, draft)
    write_examples({precision: open_tagger(folder, precision) for precision in GRAPHS}, folder)
    write_manifest(folder, draft)
    dev = {
        precision: measure(open_tagger(folder, precision), "dev", data_dir, title=config.name) for precision in GRAPHS
    }
    title = f"{config.name} {config.version}, test"
    test = measure(open_tagger(folder, "fp32"), "test", data_dir, title=title, report=report)
    test |= own_schemes
    final = manifest_of(config, heads, dev=dev, test=test)
    card = tagger_card(final, config=config, network=network, difference=difference)
    (folder / CARD).write_text(card, encoding="utf-8")
    write_manifest(folder, final)
    bundle = load_bundle(folder)
    for precision in GRAPHS:
        replay(Predictor(bundle, OnnxSession(bundle.graph(precision))), bundle, precision=precision)
    return test


def shift_entities(network: Tagger, tags: Sequence[str], shifts: Mapping[str, float]) -> None:
    """Raise or lower the logits of entity labels for good (training/tune_entities.py)."""
    with torch.no_grad():
        network.heads["entity"].bias += torch.from_numpy(shift_vector(tags, shifts))


def manifest_of(
    config: TaggerRun,
    heads: Heads,
    *,
    dev: Mapping[str, dict[str, float]],
    test: Mapping[str, float],
) -> dict[str, Any]:
    labels = {name: heads[name] for name in ("upos", "xpos", "entity")}
    return {
        "name": config.name,
        "version": config.version,
        "task": "tag",
        "languages": ["en"],
        "description": "Parts of speech (Universal and Penn) and named entities of English, web text first.",
        "licence": "CC BY-SA 4.0",
        "corpora": TAGGER_CORPORA,
        "features": {"num_characters": config.vocabulary.num_characters},
        "labels": labels,
        "limits": {"max_tokens": MAX_TOKENS},
        "inputs": [
            {
                "name": "ids",
                "type": "int32",
                "shape": ["batch", "time", 2 + config.vocabulary.num_characters],
            },
            {"name": "lengths", "type": "int32", "shape": ["batch"]},
        ],
        "outputs": [
            {"name": name, "type": "float32", "shape": ["batch", "time", len(tags)]} for name, tags in labels.items()
        ],
        "precisions": {
            name: {"file": file, "metrics": dev.get(name, {}), "max_drift": MAX_DRIFT[name]}
            for name, file in GRAPHS.items()
        },
        "default_precision": "fp32",
        "default_reason": "A sentence's answer in fp32 is the same to the last bit alone and in any batch; int8 "
        "quantises activations by batch, so that neighbours move scores a little. It is faster; "
        "see precisions for its accuracy on dev.",
        "metrics": dict(test),
    }


def write_examples(taggers: Mapping[str, Predictor], folder: Path) -> None:
    """What the service replays when it loads the bundle. Raises ExportError if precisions agree on nothing."""
    sentences = [sentence.split() for sentence in EXAMPLE_SENTENCES]
    examples = [
        TagExample(
            tokens=words,
            upos=row.upos,
            xpos=row.xpos,
            entity=row.entity,
            scores=[round(span.score, 5) for span in row.spans],
        )
        for words, row in zip(sentences, tag_words(taggers["fp32"], sentences), strict=True)
    ]
    lines = ",\n".join(msgspec.json.encode(example).decode() for example in agreed(taggers, examples))
    (folder / EXAMPLES).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def agreed(taggers: Mapping[str, Predictor], examples: Sequence[TagExample]) -> list[TagExample]:
    """Those that every precision answers alike. On the others two tags are as good as equal, and which of them wins
    says nothing of a graph. Neighbours move int8 a little, so that what is left is tried again."""
    kept = list(examples)
    while kept:
        found = {p: dict(differences(tagger, kept, MAX_DRIFT[p])) for p, tagger in taggers.items()}
        for precision, answers in found.items():
            for number, difference in answers.items():
                print(f"no example: {' '.join(kept[number].tokens)} ({precision} {difference})")
        if not any(found.values()):
            return kept
        kept = [example for i, example in enumerate(kept) if not any(i in answers for answers in found.values())]
    raise ExportError(f"{', '.join(taggers)} agree on no example")

"""Complete bundles of the tiny networks on disk, and the answers that they must have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from service.bundle import CARD, EXAMPLES, SUBWORDS, VOCABULARIES, write_manifest
from service.settings import Settings
from service.text.pipeline import Vocabulary, dump_vocabularies
from tests.fakes import letters
from tests.fakes.language import STATE_SIZE, continued, language_subwords
from tests.fakes.words import (
    CONFIDENCE,
    ENTITY,
    LABELS,
    LEXICON,
    MULTI_LABELS,
    NUM_CHARACTERS,
    SENTIMENT,
    THRESHOLDS,
    UNKNOWN,
    UPOS,
    XPOS,
    chosen_of,
    probabilities_of,
    probability_of,
)

NAME, CLASSIFIER, MULTI_LABEL, TRANSLATOR = "tiny-tagger", "tiny-sentiment", "tiny-several", "tiny-translator"
LANGUAGE_MODEL = "tiny-writer"
VERSION = "1.2.3"
GRAPH, ENCODER, STEP, MULTI_LABEL_GRAPH = "model.onnx", "encoder.onnx", "step.onnx", "multi_label.onnx"
NO_GRAPH = b"\x12\x1bno graph: sessions are fake"  # an ONNX file that says who made it and nothing else
UNIT_STEP, READER = "unit_step.onnx", "reader.onnx"
MAX_TOKENS, MAX_SOURCE_TOKENS, MAX_TARGET_TOKENS, MAX_PROMPT_TOKENS, MAX_NEW_TOKENS = 40, 64, 80, 200, 100


def write_bundle(
    models_dir: Path,
    *,
    name: str = NAME,
    version: str = VERSION,
    folder: str | None = None,
    graph: bytes = NO_GRAPH,
    default: bool = False,
) -> Path:
    """A complete bundle of the tiny tagger; its folder, called after the model unless it is said."""
    vocabularies = {
        "words": Vocabulary.of(LEXICON),
        "suffixes": Vocabulary.of(sorted({word[-3:] for word in LEXICON})),
        "characters": Vocabulary.of("abcdefghijklmnopqrstuvwxyz"),
    }
    examples = [example("Alice", "plays", "with", "Paris")]
    chosen = {"version": version, "default": default}
    return _write(models_dir / (folder or name), manifest(name) | chosen, vocabularies, examples, graph)


def write_classifier(
    models_dir: Path,
    *,
    name: str = CLASSIFIER,
    version: str = VERSION,
    folder: str | None = None,
    graph: bytes = NO_GRAPH,
    default: bool = False,
) -> Path:
    """A complete bundle of the tiny classifier; its folder, called after the model unless it is said."""
    vocabularies = {"words": Vocabulary.of(SENTIMENT)}
    examples = [classified("An exciting plot"), classified("bad")]
    chosen = {"version": version, "default": default}
    return _write(models_dir / (folder or name), classifier_manifest(name) | chosen, vocabularies, examples, graph)


def write_multi_label(models_dir: Path, *, graph: bytes = NO_GRAPH) -> Path:
    """A complete bundle of the tiny multi-label classifier."""
    folder = models_dir / MULTI_LABEL
    folder.mkdir(parents=True)
    dump_vocabularies({"words": Vocabulary.of(SENTIMENT)}, folder / VOCABULARIES)
    (folder / MULTI_LABEL_GRAPH).write_bytes(graph)
    examples = [classified_by_several(text) for text in ("An exciting plot", "bad", "well")]
    return _complete(folder, multi_label_manifest(), examples)


def write_translator(
    models_dir: Path,
    *,
    name: str = TRANSLATOR,
    version: str = VERSION,
    folder: str | None = None,
    default: bool = False,
    sources: Sequence[str] = ("en",),
    targets: Sequence[str] = tuple(letters.LANGUAGES),
) -> Path:
    """A complete bundle of the network of letters; its folder, called after the model unless it is said."""
    path = models_dir / (folder or name)
    path.mkdir(parents=True)
    (path / SUBWORDS).write_bytes(letters.letters())
    for graph in (ENCODER, STEP):
        (path / graph).write_bytes(NO_GRAPH)
    examples = [
        translated(text, target=target) | {"source": sources[0]}
        for target in targets
        for text in ("Me too.", "See http://a.b and 1984")
    ]
    chosen = {"version": version, "default": default}
    return _complete(path, translator_manifest(name, sources=sources, targets=targets) | chosen, examples)


def write_language_model(
    models_dir: Path,
    *,
    name: str = LANGUAGE_MODEL,
    version: str = VERSION,
    folder: str | None = None,
    default: bool = False,
    graphs: Mapping[str, bytes] = MappingProxyType({}),
) -> Path:
    """A complete bundle of the tiny language model; its folder, called after the model unless it is said."""
    path = models_dir / (folder or name)
    path.mkdir(parents=True)
    (path / SUBWORDS).write_bytes(language_subwords())
    for graph in (UNIT_STEP, READER):
        (path / graph).write_bytes(graphs.get(graph, NO_GRAPH))
    examples = [continued("The"), continued("I smile"), continued("", num_units=2)]
    chosen = {"version": version, "default": default}
    return _complete(path, language_model_manifest(name) | chosen, examples)


def translated(text: str, *, target: str = "es") -> dict[str, Any]:
    """A sentence and the answer it must have, if nothing in it but an address needs copying."""
    words = [word if "/" in word else letters.say(word, target) for word in text.split(" ")]
    return {"text": text, "target": target, "translation": " ".join(words), "score": letters.SCORE}


def _write(
    folder: Path,
    manifest: Mapping[str, Any],
    vocabularies: Mapping[str, Vocabulary],
    examples: Sequence[Mapping[str, Any]],
    graph: bytes,
) -> Path:
    folder.mkdir(parents=True)
    dump_vocabularies(vocabularies, folder / VOCABULARIES)
    (folder / GRAPH).write_bytes(graph)
    return _complete(folder, manifest, examples)


def _complete(folder: Path, manifest: Mapping[str, Any], examples: Sequence[Mapping[str, Any]]) -> Path:
    (folder / CARD).write_text("# Tiny\n", encoding="utf-8")
    (folder / EXAMPLES).write_text(json.dumps(examples), encoding="utf-8")
    write_manifest(folder, manifest)
    return folder


def example(*words: str) -> dict[str, Any]:
    """Words that are no part of a longer name, and the answer they must have."""
    tags = [LEXICON.get(word.lower(), UNKNOWN) for word in words]
    return {
        "tokens": words,
        "upos": [UPOS[pos] for pos, _ in tags],
        "xpos": [XPOS[pos] for pos, _ in tags],
        "entity": [ENTITY[entity] for _, entity in tags],
        "scores": [CONFIDENCE for _, entity in tags if entity],
    }


def classified(text: str) -> dict[str, Any]:
    """A text of words and spaces and the answer it must have."""
    positive = probability_of(text)
    return {
        "text": text,
        "label": LABELS[positive > 0.5],
        "scores": {"negative": 1 - positive, "positive": positive},
    }


def classified_by_several(text: str) -> dict[str, Any]:
    """A text of words and spaces and the answer of the multi-label classifier."""
    scores = probabilities_of(text)
    return {"text": text, "label": max(scores, key=scores.__getitem__), "scores": scores, "labels": chosen_of(text)}


def manifest(name: str) -> dict[str, Any]:
    """Of the tiny tagger, without its files."""
    return {
        **_common(name),
        "task": "tag",
        "features": {"num_characters": NUM_CHARACTERS},
        "labels": {"upos": UPOS, "xpos": XPOS, "entity": ENTITY},
        "inputs": [
            {"name": "ids", "type": "int32", "shape": ["batch", "time", 2 + NUM_CHARACTERS]},
            {"name": "lengths", "type": "int32", "shape": ["batch"]},
        ],
        "outputs": [
            {"name": head, "type": "float32", "shape": ["batch", "time", len(tags)]}
            for head, tags in (("upos", UPOS), ("xpos", XPOS), ("entity", ENTITY))
        ],
        "metrics": {"upos": 1.0},
    }


def classifier_manifest(name: str) -> dict[str, Any]:
    """Of the tiny classifier, without its files."""
    return {
        **_common(name),
        "task": "classify",
        "features": {},
        "labels": {"label": LABELS},
        "inputs": [
            {"name": "ids", "type": "int32", "shape": ["batch", "time"]},
            {"name": "lengths", "type": "int32", "shape": ["batch"]},
        ],
        "outputs": [{"name": "log_probabilities", "type": "float32", "shape": ["batch", len(LABELS)]}],
        "metrics": {"accuracy": 1.0},
    }


def multi_label_manifest() -> dict[str, Any]:
    """Of the tiny multi-label classifier, without its files."""
    return {
        **classifier_manifest(MULTI_LABEL),
        "labels": {"label": MULTI_LABELS},
        "multi_label": True,
        "thresholds": THRESHOLDS,
        "outputs": [{"name": "log_probabilities", "type": "float32", "shape": ["batch", len(MULTI_LABELS)]}],
        "precisions": {"fp32": {"file": MULTI_LABEL_GRAPH, "metrics": {}, "max_drift": 1e-5}},
    }


def translator_manifest(
    name: str, *, sources: Sequence[str] = ("en",), targets: Sequence[str] = tuple(letters.LANGUAGES)
) -> dict[str, Any]:
    """Of the network of letters, without its files."""
    return {
        **_common(name),
        "task": "translate",
        "languages": [*sources, *targets],
        "pairs": [
            {"source": source, "target": target, "tag": f"<2{target}>"} for source in sources for target in targets
        ],
        "features": {},
        "labels": {},
        "limits": {"max_tokens": MAX_SOURCE_TOKENS, "max_target_tokens": MAX_TARGET_TOKENS},
        "inputs": [{"name": "tokens", "type": "int32", "shape": ["row"]}],
        "outputs": [{"name": "scores", "type": "float32", "shape": ["row", "candidate"]}],
        "precisions": {"fp32": {"file": STEP, "encoder": ENCODER, "metrics": {}, "max_drift": 1e-5}},
        "metrics": {"bleu": 100.0},
    }


def language_model_manifest(name: str) -> dict[str, Any]:
    """Of the tiny language model, without its files."""
    return {
        **_common(name),
        "task": "generate",
        "features": {},
        "labels": {},
        "limits": {"max_tokens": MAX_PROMPT_TOKENS, "max_target_tokens": MAX_NEW_TOKENS},
        "inputs": [
            {"name": "tokens", "type": "int32", "shape": ["row"]},
            {"name": "state", "type": "float32", "shape": ["row", STATE_SIZE]},
        ],
        "outputs": [{"name": "scores", "type": "float32", "shape": ["row", "candidate"]}],
        "precisions": {"fp32": {"file": UNIT_STEP, "encoder": READER, "metrics": {}, "max_drift": 1e-5}},
        "metrics": {"perplexity": 100.0},
    }


def _common(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "version": VERSION,
        "languages": ["en"],
        "description": "Looks words up.",
        "licence": "CC0-1.0",
        "corpora": [],
        "limits": {"max_tokens": MAX_TOKENS},
        "precisions": {"fp32": {"file": GRAPH, "metrics": {}, "max_drift": 1e-5}},
        "default_precision": "fp32",
        "default_reason": "It is the only one.",
    }


def damage(path: Path) -> Path:
    """Another last byte: the size is what the manifest says, the checksum is not."""
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    return path


def settings_for(models_dir: Path, /, **choices: Any) -> Settings:
    """Of a service of these bundles on one thread, whatever it is called."""
    return Settings(**{"models_dir": models_dir, "threads": 1, "device": "cpu", "allowed_hosts": "*", **choices})

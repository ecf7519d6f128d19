"""Small working stand-ins: bundles of a few words, a session that looks words up, and a clock set by hand.

They enter by the doors the real ones use. A word's tags depend on the word alone and a text's class on the sum of
its words, so every answer is known.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from service.bundle import CARD, EXAMPLES, SUBWORDS, VOCABULARIES, write_manifest
from service.runtime.devices import Device
from service.runtime.session import Arrays, Session
from service.settings import Settings
from service.text.vocabulary import Vocabulary, dump_vocabularies
from tests import letters

NAME, VERSION, MAX_TOKENS, NUM_CHARACTERS, GRAPH = "tiny-tagger", "1.2.3", 40, 6, "model.onnx"
NO_GRAPH = b"\x12\x1bno graph: sessions are fake"  # an ONNX file that says who made it and nothing else
UPOS, XPOS, ENTITY = (
    ("NOUN", "VERB", "ADP", "X"),
    ("NN", "VBZ", "IN", "FW"),
    ("O", "S-PER", "S-LOC", "B-LOC", "E-LOC"),
)
# word -> index of upos and xpos, index of entity
LEXICON: Mapping[str, tuple[int, int]] = {
    "plays": (1, 0),
    "well": (0, 0),
    "with": (2, 0),
    "others": (0, 0),
    "alice": (0, 1),
    "paris": (0, 2),
    "hong": (0, 3),
    "kong": (0, 4),
}
UNKNOWN = (3, 0)
CONFIDENCE = 0.9  # of every entity tag

CLASSIFIER, LABELS = "tiny-sentiment", ("negative", "positive")
# word -> what it adds to the logit of positive; eighths add up exactly
SENTIMENT: Mapping[str, float] = {"good": 1.0, "exciting": 2.5, "bad": -1.0, "boring": -2.5, "plot": 0.125}


TRANSLATOR, ENCODER, STEP = "tiny-translator", "encoder.onnx", "step.onnx"
MAX_SOURCE_TOKENS, MAX_TARGET_TOKENS = 64, 80


def tables() -> dict[str, npt.NDArray[np.float32]]:
    """By word id: (word, tag) logits, or log-probabilities for ``entity``."""
    columns = [UNKNOWN] * 3 + list(LEXICON.values())
    pos = np.array([row[0] for row in columns])
    entity = np.array([row[1] for row in columns])
    rest = (1 - CONFIDENCE) / (len(ENTITY) - 1)
    return {
        "upos": np.eye(len(UPOS), dtype=np.float32)[pos],
        "xpos": np.eye(len(XPOS), dtype=np.float32)[pos],
        "entity": np.log(np.where(np.eye(len(ENTITY))[entity] > 0, CONFIDENCE, rest)).astype(np.float32),
    }


def weights() -> npt.NDArray[np.float32]:
    """By word id: (word,), padding and unknown words 0."""
    return np.array([0.0] * 3 + list(SENTIMENT.values()), np.float32)


def probability_of(text: str) -> float:
    """That a text of words and spaces is positive."""
    logit = sum(SENTIMENT.get(word, 0.0) for word in text.lower().split())
    return float(1 / (1 + np.exp(-logit)))


class FakeSession:
    """A tagger's graph if rows have features, a classifier's if not; a translator's encoder or step as a part of it.
    Can be slow, stopped, or broken, and remembers the shapes it was given, a step's by its rows alone."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.error: Exception | None = None
        self.ends = True  # whether translations do
        self.gate = threading.Event()
        self.gate.set()
        self.shapes: list[tuple[int, ...]] = []
        self._tables = tables()

    def run(self, inputs: Arrays) -> Arrays:
        self.pass_through(inputs["ids"].shape)
        return self._classify(inputs) if inputs["ids"].ndim == 2 else self._tag(inputs)

    def pass_through(self, shape: tuple[int, ...]) -> None:
        """What every run goes through, whatever the graph."""
        self.shapes.append(shape)
        time.sleep(self.seconds)
        if not self.gate.wait(timeout=20):
            raise TimeoutError("the test left the gate shut")
        if self.error is not None:
            raise self.error

    def _tag(self, inputs: Arrays) -> Arrays:
        words = inputs["ids"][:, :, 0]  # (batch, time)
        return {name: table[words] for name, table in self._tables.items()}

    def _classify(self, inputs: Arrays) -> Arrays:
        logits = weights()[inputs["ids"]].sum(axis=1)  # (batch,)
        return {"log_probabilities": -np.logaddexp(0, np.stack([logits, -logits], axis=1))}


class FakeEncoder:
    """A translator's encoder behind a session's doors."""

    def __init__(self, session: FakeSession) -> None:
        self._session = session

    def run(self, inputs: Arrays) -> Arrays:
        self._session.pass_through(inputs["ids"].shape)
        return letters.encode(inputs)


class FakeStep:
    """A translator's step behind a session's doors."""

    def __init__(self, session: FakeSession) -> None:
        self._session = session

    def run(self, inputs: Arrays) -> Arrays:
        self._session.pass_through(inputs["tokens"].shape)
        return letters.step(inputs, ends=self._session.ends)


class OpenFake:
    """Opens one fake session for every graph."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, path: Path, *, device: Device) -> Session:
        assert path.is_file()
        if path.name in PARTS and isinstance(self.session, FakeSession):
            return PARTS[path.name](self.session)
        return self.session


PARTS: Mapping[str, Callable[[FakeSession], Session]] = {ENCODER: FakeEncoder, STEP: FakeStep}


class FakeClock:
    """Seconds, when told to pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


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


def write_translator(
    models_dir: Path,
    *,
    name: str = TRANSLATOR,
    version: str = VERSION,
    folder: str | None = None,
    default: bool = False,
    targets: Sequence[str] = tuple(letters.LANGUAGES),
) -> Path:
    """A complete bundle of the network of letters; its folder, called after the model unless it is said."""
    path = models_dir / (folder or name)
    path.mkdir(parents=True)
    (path / SUBWORDS).write_bytes(letters.letters())
    for graph in (ENCODER, STEP):
        (path / graph).write_bytes(NO_GRAPH)
    examples = [
        translated(text, target=target) for target in targets for text in ("Me too.", "See http://a.b and 1984")
    ]
    chosen = {"version": version, "default": default}
    return _complete(path, translator_manifest(name, targets=targets) | chosen, examples)


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


def translator_manifest(name: str, *, targets: Sequence[str] = tuple(letters.LANGUAGES)) -> dict[str, Any]:
    """Of the network of letters, without its files."""
    return {
        **_common(name),
        "task": "translate",
        "languages": ["en", *targets],
        "pairs": [{"source": "en", "target": target, "tag": f"<2{target}>"} for target in targets],
        "features": {},
        "labels": {},
        "limits": {"max_tokens": MAX_SOURCE_TOKENS, "max_target_tokens": MAX_TARGET_TOKENS},
        "inputs": [{"name": "tokens", "type": "int32", "shape": ["row"]}],
        "outputs": [{"name": "scores", "type": "float32", "shape": ["row", "candidate"]}],
        "precisions": {"fp32": {"file": STEP, "encoder": ENCODER, "metrics": {}, "max_drift": 1e-5}},
        "metrics": {"bleu": 100.0},
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


def lexicon_graph() -> bytes:
    """The tiny tagger's look-up as an ONNX graph, for tests that run onnxruntime."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [helper.make_node("Gather", ["ids", "first"], ["words"], axis=2)]
    nodes += [helper.make_node("Gather", [f"{head}_table", "words"], [head], axis=0) for head in tables()]
    return _model(
        nodes,
        ids=["batch", "time", 2 + NUM_CHARACTERS],
        outputs={head: ["batch", "time", table.shape[1]] for head, table in tables().items()},
        constants=[
            helper.make_tensor("first", TensorProto.INT64, [], [0]),
            *(numpy_helper.from_array(table, f"{head}_table") for head, table in tables().items()),
        ],
    )


def sentiment_graph() -> bytes:
    """The tiny classifier's sum as an ONNX graph, for tests that run onnxruntime."""
    from onnx import TensorProto, helper, numpy_helper

    logits = np.stack([-weights() / 2, weights() / 2], axis=1)  # (word, label)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"], axis=0),
        helper.make_node("ReduceSum", ["words", "time"], ["logits"], keepdims=0),
        helper.make_node("LogSoftmax", ["logits"], ["log_probabilities"], axis=1),
    ]
    return _model(
        nodes,
        ids=["batch", "time"],
        outputs={"log_probabilities": ["batch", len(LABELS)]},
        constants=[
            numpy_helper.from_array(logits.astype(np.float32), "table"),
            helper.make_tensor("time", TensorProto.INT64, [1], [1]),
        ],
    )


def _model(
    nodes: Sequence[Any],
    *,
    ids: Sequence[str | int],
    outputs: Mapping[str, Sequence[str | int]],
    constants: Sequence[Any],
) -> bytes:
    from onnx import TensorProto, helper

    def tensor(kind: int, name: str, shape: Sequence[str | int]) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs=[tensor(TensorProto.INT32, "ids", ids), tensor(TensorProto.INT32, "lengths", ["batch"])],
        outputs=[tensor(TensorProto.FLOAT, name, shape) for name, shape in outputs.items()],
        initializer=constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def settings_for(models_dir: Path, /, **choices: Any) -> Settings:
    return Settings(**{"models_dir": models_dir, "threads": 1, "device": "cpu", **choices})

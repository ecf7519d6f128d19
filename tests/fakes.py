"""Small working stand-ins: a bundle of eight words, a session that looks tags up, and a clock set by hand.

They enter by the doors the real ones use. A word's tags depend on the word alone, so every answer is known.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from service.bundle import CARD, EXAMPLES, VOCABULARIES, write_manifest
from service.runtime.session import Arrays, Device, Session
from service.settings import Settings
from service.text.vocabulary import Vocabulary, dump_vocabularies

NAME, VERSION, MAX_TOKENS, NUM_CHARACTERS, GRAPH = "tiny-tagger", "1.2.3", 40, 6, "model.onnx"
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


class FakeSession:
    """Looks tags up by word id. Can be slow, stopped, or broken, and remembers the shapes it was given."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.shapes: list[tuple[int, ...]] = []
        self._tables = tables()

    def run(self, inputs: Arrays) -> Arrays:
        self.shapes.append(inputs["ids"].shape)
        time.sleep(self.seconds)
        if not self.gate.wait(timeout=20):
            raise TimeoutError("the test left the gate shut")
        if self.error is not None:
            raise self.error
        words = inputs["ids"][:, :, 0]  # (batch, time)
        return {name: table[words] for name, table in self._tables.items()}


class OpenFake:
    """Opens one fake session for every graph."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, path: Path, *, device: Device) -> Session:
        assert path.is_file()
        return self.session


class FakeClock:
    """Seconds, when told to pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def write_bundle(models_dir: Path, *, name: str = NAME, graph: bytes = b"no graph: sessions are fake") -> Path:
    """A complete bundle of the tiny tagger; its folder."""
    folder = models_dir / name
    folder.mkdir(parents=True)
    vocabularies = {
        "words": Vocabulary.of(LEXICON),
        "suffixes": Vocabulary.of(sorted({word[-3:] for word in LEXICON})),
        "characters": Vocabulary.of("abcdefghijklmnopqrstuvwxyz"),
    }
    dump_vocabularies(vocabularies, folder / VOCABULARIES)
    (folder / GRAPH).write_bytes(graph)
    (folder / CARD).write_text("# Tiny tagger\n", encoding="utf-8")
    (folder / EXAMPLES).write_text(json.dumps([example("Alice", "plays", "with", "Paris")]), encoding="utf-8")
    write_manifest(folder, manifest(name))
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


def manifest(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "version": VERSION,
        "task": "tag",
        "languages": ["en"],
        "description": "Looks words up.",
        "licence": "CC0-1.0",
        "corpora": [],
        "features": {"num_characters": NUM_CHARACTERS},
        "labels": {"upos": UPOS, "xpos": XPOS, "entity": ENTITY},
        "limits": {"max_tokens": MAX_TOKENS},
        "inputs": [
            {"name": "ids", "type": "int32", "shape": ["batch", "time", 2 + NUM_CHARACTERS]},
            {"name": "lengths", "type": "int32", "shape": ["batch"]},
        ],
        "outputs": [
            {"name": head, "type": "float32", "shape": ["batch", "time", len(tags)]}
            for head, tags in (("upos", UPOS), ("xpos", XPOS), ("entity", ENTITY))
        ],
        "precisions": {"fp32": {"file": GRAPH, "metrics": {}, "max_drift": 1e-5}},
        "default_precision": "fp32",
        "default_reason": "It is the only one.",
        "metrics": {"upos": 1.0},
    }


def lexicon_graph() -> bytes:
    """The same look-up as an ONNX graph, for tests that run onnxruntime."""
    from onnx import TensorProto, helper, numpy_helper

    def tensor(kind: int, name: str, *shape: str | int) -> Any:
        return helper.make_tensor_value_info(name, kind, list(shape))

    nodes = [helper.make_node("Gather", ["ids", "first"], ["words"], axis=2)]
    nodes += [helper.make_node("Gather", [f"{head}_table", "words"], [head], axis=0) for head in tables()]
    graph = helper.make_graph(
        nodes,
        "lexicon",
        inputs=[
            tensor(TensorProto.INT32, "ids", "batch", "time", 2 + NUM_CHARACTERS),
            tensor(TensorProto.INT32, "lengths", "batch"),
        ],
        outputs=[tensor(TensorProto.FLOAT, head, "batch", "time", table.shape[1]) for head, table in tables().items()],
        initializer=[
            helper.make_tensor("first", TensorProto.INT64, [], [0]),
            *(numpy_helper.from_array(table, f"{head}_table") for head, table in tables().items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def settings_for(models_dir: Path, /, **choices: Any) -> Settings:
    return Settings(**{"models_dir": models_dir, "workers": 1, **choices})

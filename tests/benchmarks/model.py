"""The shipped bundle with no service around it: its encoder as served, its graph straight in onnxruntime."""

from __future__ import annotations

from pathlib import Path

import onnxruntime

from service.bundle import Bundle, find_bundles, load_bundle
from service.errors import BundleError
from service.predictors.tagger import Tagger
from service.runtime.session import Arrays
from service.text.batch import Batch, Ids
from service.text.tokenizer import split_sentences


class BareSession:
    """One session for all threads, a thread a run, as in the service; but with the arena: it is faster."""

    def __init__(self, graph: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Arrays) -> Arrays:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))


class Model:
    """Texts to rows, and rows through the graph; nothing decodes what comes out."""

    def __init__(self, bundle: Bundle, *, precision: str | None) -> None:
        manifest = bundle.manifest
        self.name, self.precision = manifest.name, precision or manifest.default_precision
        self.title = f"{manifest.name} {manifest.version}, {self.precision}"
        self._session = BareSession(bundle.graph(precision))
        self._tagger = Tagger(bundle, self._session)

    def rows_of(self, text: str) -> list[Ids]:
        """A row (time, feature) for each sentence in the text."""
        return [self._tagger.encode(sentence).ids for sentence in split_sentences(text)]

    def run(self, batch: Batch) -> None:
        """Compute every output and drop it."""
        self._session.run({"ids": batch.ids, "lengths": batch.lengths})


def load_model(models_dir: Path, *, name: str | None = None, precision: str | None = None) -> Model:
    """The named bundle, or the first one. Raises BundleError."""
    bundles = {bundle.manifest.name: bundle for bundle in map(load_bundle, find_bundles(models_dir))}
    wanted = name or min(bundles)
    if wanted not in bundles:
        raise BundleError(f"{models_dir}: no bundle {wanted!r}; known: {', '.join(bundles)}")
    return Model(bundles[wanted], precision=precision)

"""A shipped bundle with no service around it: its encoder as served, its graph straight in onnxruntime."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bench.client import Request
from service.bundle import Bundle, Task
from service.decoding.beam_search import search_all
from service.decoding.sampler import sample_all
from service.decoding.search import Prompt, SamplingOptions, Search
from service.errors import BundleError
from service.models.loading import (
    DEFAULT_SETTINGS,
    check_precision,
    default_of,
    find_versions,
    highest_of,
    precision_of,
)
from service.models.registry import full_name
from service.predictors.classifier import Classifier
from service.predictors.language_model import LanguageModel
from service.predictors.tagger import Tagger
from service.predictors.translation import TranslateOptions, cap_of
from service.predictors.translator import Translator
from service.runtime.session import Arrays
from service.settings import PREFIX, Settings
from service.text.paragraphs import cut
from service.text.pipeline import Batch, Ids
from service.text.tokenizer import split_sentences

BEAM_SIZE = 4  # of translations: the service's default
NEW_TOKENS, TEMPERATURE = 32, 0.8  # of continuations


class BareSession:
    """One session for all threads, a thread a run, as in the service; but with the arena: it is faster."""

    def __init__(self, graph: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.x64quantprecision", "1")
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Arrays) -> Arrays:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))


class Model(ABC):
    """Texts to rows, and rows through the graph; nothing decodes what comes out."""

    bare = "raw onnxruntime"  # what runs here

    def __init__(self, bundle: Bundle, *, precision: str) -> None:
        manifest = bundle.manifest
        self.name, self.task = manifest.name, manifest.task
        self.title = f"{manifest.name} {manifest.version}, {precision}"
        self.path = f"/{manifest.task}"
        self.field = "text"  # of a request, that holds its texts
        self.wishes: Mapping[str, str | int | float] = {}  # what a request says beside its texts
        self.default_variable = PREFIX + DEFAULT_SETTINGS[manifest.task].upper()
        self._session = BareSession(bundle.graph(precision))

    def run(self, batch: Batch) -> None:
        """Compute every output and drop it."""
        self._session.run({"ids": batch.ids, "lengths": batch.lengths})

    @abstractmethod
    def rows_of(self, text: str) -> list[Ids]:
        """The rows that the service makes of a text, (time, ...) each."""

    @abstractmethod
    def what_is_wrong(self, results: Sequence[Any], request: Request) -> str:
        """The reason why these cannot be the results of that request; empty if they can."""


class TaggerModel(Model):
    """A row (time, feature) for each sentence in the text."""

    def __init__(self, bundle: Bundle, *, precision: str) -> None:
        super().__init__(bundle, precision=precision)
        self._tagger = Tagger(bundle, self._session)

    def rows_of(self, text: str) -> list[Ids]:
        return [self._tagger.encode(sentence).ids for sentence in split_sentences(text)]

    def what_is_wrong(self, results: Sequence[Any], request: Request) -> str:
        sentences = [sentence for result in results for sentence in result["sentences"]]
        num_tokens = sum(len(sentence["tokens"]) for sentence in sentences)
        return "" if num_tokens == request.num_words else f"{request.num_words} words sent, {num_tokens} tokens back"


class ClassifierModel(Model):
    """A row (time,) for the whole text."""

    def __init__(self, bundle: Bundle, *, precision: str) -> None:
        super().__init__(bundle, precision=precision)
        self._classifier = Classifier(bundle, self._session)

    def rows_of(self, text: str) -> list[Ids]:
        return [self._classifier.encode(text).ids]

    def what_is_wrong(self, results: Sequence[Any], request: Request) -> str:
        if len(results) != request.num_items:
            return f"{request.num_items} texts sent, {len(results)} results back"
        labels = set(self._classifier.labels)
        if not all(set(result["scores"]) == labels and result["label"] in labels for result in results):
            return f"results with other labels than {', '.join(sorted(labels))}"
        return "texts were truncated" if any(result["truncated"] for result in results) else ""


class TranslatorModel(Model):
    """A row (time,) for each sentence in the text; they are translated by the engine, into one language."""

    bare = "raw engine"

    def __init__(self, bundle: Bundle, *, precision: str) -> None:
        super().__init__(bundle, precision=precision)
        encoder = BareSession(bundle.encoder(precision))
        self._translator = Translator(bundle, encoder=encoder, step=self._session)
        self._wish = TranslateOptions(pair=self._translator.pairs[0], beam_size=BEAM_SIZE)
        self.wishes = {"source": self._wish.pair.source, "target": self._wish.pair.target, "beam_size": BEAM_SIZE}

    def run(self, batch: Batch) -> None:
        """Every sentence to its end, and others in its place as long as there are some."""
        lengths = batch.lengths.tolist()
        rows = [ids[:length] for ids, length in zip(batch.ids, lengths, strict=True)]
        search_all(self._translator.graphs, [self._search(row) for row in rows])

    def _search(self, ids: Ids) -> Search:
        cap = min(self._translator.max_target_tokens, cap_of(len(ids)))
        return Search(ids=ids, beam_size=BEAM_SIZE, max_tokens=cap)

    def rows_of(self, text: str) -> list[Ids]:
        sources = (self._translator.encode(sentence, self._wish) for sentence in cut(text).sentences)
        return [search.ids for source in sources for search in source.searches]

    def what_is_wrong(self, results: Sequence[Any], request: Request) -> str:
        if len(results) != request.num_items:
            return f"{request.num_items} texts sent, {len(results)} results back"
        if not all(result["translation"] for result in results):
            return "a text without a translation"
        return "texts were truncated" if any(result["truncated"] for result in results) else ""


class GeneratorModel(Model):
    """A row (time,) for each prompt, with a place for each token that is written; the engine continues it."""

    bare = "raw engine"

    def __init__(self, bundle: Bundle, *, precision: str) -> None:
        super().__init__(bundle, precision=precision)
        self._model = LanguageModel(bundle, reader=BareSession(bundle.encoder(precision)), step=self._session)
        self._options = SamplingOptions(max_tokens=NEW_TOKENS, temperature=TEMPERATURE)
        self.field = "prompt"
        self.wishes = {"max_tokens": NEW_TOKENS, "temperature": TEMPERATURE, "seed": 1}

    def run(self, batch: Batch) -> None:
        """Continue every prompt to its end, and others in its place as long as there are some."""
        lengths = (batch.lengths - NEW_TOKENS).tolist()
        prompts = [
            Prompt(before=self._model.first_state(), ids=ids[:length], seed=1, options=self._options)
            for ids, length in zip(batch.ids, lengths, strict=True)
        ]
        sample_all(self._model.graphs, prompts)

    def rows_of(self, text: str) -> list[Ids]:
        prompt = self._model.encode_prompt(text, self._options, before=self._model.first_state(), seed=1).search
        return [np.concatenate((prompt.ids, np.zeros(NEW_TOKENS, np.int32)))]

    def what_is_wrong(self, results: Sequence[Any], request: Request) -> str:
        if len(results) != request.num_items:
            return f"{request.num_items} prompts sent, {len(results)} results back"
        return "" if all(len(result["samples"]) == 1 for result in results) else "a prompt without a sample"


MODELS: Mapping[Task, type[Model]] = {
    "tag": TaggerModel,
    "classify": ClassifierModel,
    "translate": TranslatorModel,
    "generate": GeneratorModel,
}


def choose(models_dir: Path, *, name: str | None = None, precision: str | None = None) -> list[Bundle]:
    """The named bundle in its highest version, or the one that answers for each task by default. Raises BundleError
    or SettingsError."""
    bundles = find_versions(models_dir)
    check_precision(bundles, precision)
    if name is None:
        settings = Settings(models_dir=models_dir)
        names = [default_of(task, bundles, settings) for task in MODELS]
        return [bundle for known in names for bundle in bundles if full_name(bundle.manifest) == known]
    highest = highest_of(bundles)
    if name not in highest:
        raise BundleError(f"{models_dir}: no bundle {name!r}; known: {', '.join(highest)}")
    return [highest[name]]


def open_model(bundle: Bundle, *, precision: str | None = None) -> Model:
    """In this precision where the bundle has it, else in its own. Raises BundleError."""
    return MODELS[bundle.manifest.task](bundle, precision=precision_of(bundle, Settings(precision=precision)))

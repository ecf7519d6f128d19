"""Models in this process: ``load("en-tagger")`` returns one that is called with a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self, Unpack

from ribbon.answers import Classification, Doc, ModelInfo, RefusedEvent, SentenceEvent, Translation
from ribbon.client import Client
from ribbon.language_answers import Generation, SampleEvent, Score, TokenEvent
from ribbon.options import ClassifyOptions, GenerateOptions, ScoreOptions, TagOptions, TranslateOptions


class LoadedModel:
    """Base class of the models in this process; ``with`` or :meth:`close` frees one."""

    def __init__(self, client: Client, info: ModelInfo) -> None:
        self.client = client
        self.info = info

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the model's threads."""
        self.client.close()


class Tagger(LoadedModel):
    """Tags texts: parts of speech and entities."""

    def __call__(self, text: str, **options: Unpack[TagOptions]) -> Doc:
        """Return the sentences, tokens and entities of a text."""
        return self.client.tag(text, **options)

    def all(self, texts: Iterable[str], **options: Unpack[TagOptions]) -> Iterator[Doc]:
        """Yield the result of each text, in order."""
        return self.client.tag_all(texts, **options)


class Classifier(LoadedModel):
    """Classifies texts."""

    def __call__(self, text: str, **options: Unpack[ClassifyOptions]) -> Classification:
        """Return the class of a text and the scores of all classes."""
        return self.client.classify(text, **options)

    def all(self, texts: Iterable[str], **options: Unpack[ClassifyOptions]) -> Iterator[Classification]:
        """Yield the result of each text, in order."""
        return self.client.classify_all(texts, **options)


class Translator(LoadedModel):
    """Translates texts."""

    def __call__(self, text: str, **options: Unpack[TranslateOptions]) -> Translation:
        """Return the translation of a text into the language ``target``."""
        return self.client.translate(text, **options)

    def all(self, texts: Iterable[str], **options: Unpack[TranslateOptions]) -> Iterator[Translation]:
        """Yield the result of each text, in order."""
        return self.client.translate_all(texts, **options)

    def stream(self, text: str, **options: Unpack[TranslateOptions]) -> Iterator[SentenceEvent | RefusedEvent]:
        """Yield each sentence as soon as it is translated."""
        return self.client.translate_stream(text, **options)


class LanguageModel(LoadedModel):
    """Continues prompts and scores texts."""

    def __call__(self, prompt: str, **options: Unpack[GenerateOptions]) -> Generation:
        """Return continuations of a prompt."""
        return self.client.generate(prompt, **options)

    def all(self, prompts: Iterable[str], **options: Unpack[GenerateOptions]) -> Iterator[Generation]:
        """Yield the result of each prompt, in order."""
        return self.client.generate_all(prompts, **options)

    def stream(
        self, prompt: str, **options: Unpack[GenerateOptions]
    ) -> Iterator[TokenEvent | SampleEvent | RefusedEvent]:
        """Yield each token as soon as it is certain."""
        return self.client.generate_stream(prompt, **options)

    def score(self, text: str, **options: Unpack[ScoreOptions]) -> Score:
        """Return how likely a text is, or each of ``choices`` for its gap ``___``."""
        return self.client.score(text, **options)


AnyModel = Tagger | Classifier | Translator | LanguageModel
CLASSES: Mapping[str, type[AnyModel]] = {
    "tag": Tagger,
    "classify": Classifier,
    "translate": Translator,
    "generate": LanguageModel,
}


def load(name: str, *, models_dir: str | Path | None = None) -> AnyModel:
    """Load a model into this process and return it, as the class of its task.

    ``name`` is a bundle's, or ``name@version``; bundles are looked for in ``models_dir``, or where
    ``RIBBON_MODELS_DIR`` says, or in ``models``. Raises ModelError.
    """
    from ribbon.local import open_local

    client = open_local(name, models_dir=None if models_dir is None else Path(models_dir))
    (info,) = client.models()
    return CLASSES[info.task](client, info)

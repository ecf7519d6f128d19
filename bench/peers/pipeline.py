"""Pipeline that every peer runs: the service's own tokenizer, encoder, one-thread session, decoder and JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from service.api.answers import TaggedItem, classify_result, tag_results
from service.api.schemas import ClassifyResponse, TagRequest, TagResponse
from service.bundle import read_bundle
from service.models.registry import ModelName
from service.predictors.classifier import Classifier, TextEncoding
from service.predictors.tagger import Tagger
from service.runtime.session import OnnxSession
from service.text.pipeline import Ids, pad
from service.text.tokenizer import split_sentences

BUNDLES = {"tag": "en-tagger", "classify": "en-sentiment"}
MAX_ROWS, MAX_CELLS = 8, 1024  # of one run: the graph is as fast with 8 rows as with 32, and like lengths pad less
OPTIONS = TagRequest()
Item = TaggedItem | TextEncoding


class Pipeline:
    """Texts become rows, rows answers, and answers JSON; a server calls the steps where it likes."""

    def __init__(self) -> None:
        self.task = os.environ["PEER_TASK"]
        bundle = read_bundle(Path(os.environ["PEER_MODELS"]) / BUNDLES[self.task])
        session = OnnxSession(bundle.graph(bundle.manifest.default_precision), num_threads=1)
        self._name = ModelName(name=bundle.manifest.name, version=bundle.manifest.version)
        self._tagger = Tagger(bundle, session) if self.task == "tag" else None
        self._classifier = Classifier(bundle, session) if self.task == "classify" else None
        self._encoder = msgspec.json.Encoder()

    def encode(self, texts: Sequence[str]) -> list[Item]:
        if self._tagger is not None:
            tagger = self._tagger
            return [TaggedItem.of(text, [tagger.encode(each) for each in split_sentences(text)]) for text in texts]
        assert self._classifier is not None  # it has one of the two
        return [self._classifier.encode(text) for text in texts]

    def answer(self, requests: Sequence[Sequence[Item]]) -> list[bytes]:
        """Answer encoded requests in one batch; returns a body for each."""
        answers = iter(self._run([row for items in requests for item in items for row in item.rows]))
        return [self._write(items, [next(answers) for item in items for _ in item.rows]) for items in requests]

    def _run(self, rows: Sequence[Ids]) -> list[object]:
        """Run rows of like length together."""
        answers: list[object] = [None] * len(rows)
        order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
        model = self._tagger or self._classifier
        assert model is not None
        while order:
            longest = MAX_CELLS // max(1, len(rows[order[min(MAX_ROWS, len(order)) - 1]]))
            part, order = order[: max(1, min(MAX_ROWS, longest))], order[max(1, min(MAX_ROWS, longest)) :]
            for place, answer in zip(part, model.run(pad([rows[place] for place in part])), strict=True):
                answers[place] = answer
        return answers

    def _write(self, items: Sequence[Item], answers: list[object]) -> bytes:
        if self._tagger is not None:
            results = tag_results(items, answers, OPTIONS)  # type: ignore[arg-type]  # they are those of the task
            return self._encoder.encode(TagResponse(self._name, results))
        classified = list(map(classify_result, items, answers))  # type: ignore[arg-type]  # likewise
        return self._encoder.encode(ClassifyResponse(self._name, classified))


def texts_of(text: str | list[str]) -> list[str]:
    """Return the texts of a request's field ``text``."""
    return [text] if isinstance(text, str) else text

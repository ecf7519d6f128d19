"""POST /classify: the class of each text."""

from __future__ import annotations

from collections.abc import Sequence

from service.api.answers import classify_result
from service.api.endpoint import Refusal, TaskEndpoint
from service.api.schemas import ClassifyRequest, ClassifyResponse, ClassifyResult
from service.api.validation import InputItem, read_texts
from service.predictors.classifier import ClassifiedRow, Classifier, TextEncoding
from service.settings import Settings


class ClassifyEndpoint(TaskEndpoint[ClassifyRequest, Classifier, TextEncoding]):
    """Endpoint of classifiers: one row per text."""

    task = "classify"
    path = "/classify"
    summary = "The class of each text"
    description = "Say which class each text belongs to, or which classes, and how probable every class is."
    request = ClassifyRequest
    response = ClassifyResponse

    def read(self, data: ClassifyRequest, limits: Settings) -> list[InputItem]:
        return read_texts(data.text, limits)

    def encode(self, item: InputItem, data: ClassifyRequest, model: Classifier) -> TextEncoding:
        return model.encode_beginning(item.text) if data.truncate else model.encode(item.text)

    def decode(
        self, model: Classifier, data: ClassifyRequest, items: Sequence[TextEncoding], answers: Sequence[ClassifiedRow]
    ) -> list[ClassifyResult]:
        return list(map(classify_result, items, answers))

    def refuse(self, refusal: Refusal, data: ClassifyRequest) -> ClassifyResult:
        return ClassifyResult(
            label=None, score=None, scores=None, truncated=False, reason=refusal.reason, detail=refusal.detail
        )

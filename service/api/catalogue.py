"""The models that are served, by task and name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from service.api.schemas import ModelCard, ModelName
from service.bundle import Task
from service.errors import UnknownModelError
from service.predictors.predictor import Predictor
from service.scheduling.admission import Door
from service.scheduling.batcher import Batcher
from service.scheduling.job import Answer

Model = TypeVar("Model", bound=Predictor[Any, Any])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served(Generic[Model, Answer]):
    """A predictor, the batcher that feeds it, and what GET /models says about it."""

    card: ModelCard
    predictor: Model
    batcher: Batcher[Answer]

    @property
    def name(self) -> ModelName:
        return ModelName(self.card.name, self.card.version)


class Catalogue:
    """Filled once while the service starts, read by every request."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._models: dict[str, Served[Any, Any]] = {}

    def add(self, served: Served[Any, Any]) -> None:
        self._models[served.card.name] = served

    def find(self, task: Task, name: str | None) -> Served[Any, Any]:
        """The named one, or the task's default. Raises NotReadyError or UnknownModelError."""
        self._door.check()
        of_task = {known: served for known, served in self._models.items() if served.card.task == task}
        for known, served in of_task.items():
            if known == name or (name is None and served.card.default):
                return served
        if not of_task:
            raise UnknownModelError(f"no model here answers /{task}; GET /models lists those there are")
        raise UnknownModelError(f"/{task} has no model named {name!r}; known: {', '.join(sorted(of_task))}")

    def cards(self) -> list[ModelCard]:
        """Raises NotReadyError while they load."""
        self._door.check()
        return [served.card for served in self._models.values()]

"""The models that are served, by task and name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from service.api.schemas import ModelCard, ModelName
from service.bundle import Task
from service.errors import UnknownModelError
from service.predictors.predictor import Predictor
from service.scheduling.admission import Door
from service.scheduling.job import Answer, Job

Model = TypeVar("Model", bound=Predictor[Any, Any])
Row = TypeVar("Row")
Row_contra = TypeVar("Row_contra", contravariant=True)


class Scheduler(Protocol[Row_contra, Answer]):
    """Where a model's rows wait and are run: a batcher, or a decoder."""

    def check(self, *, deadline: float) -> None:
        """Raises what ``enqueue`` would for the smallest row."""
        ...

    def enqueue(self, rows: Sequence[Row_contra], /, *, deadline: float) -> Job[Answer]:
        """Await the job's ``done``."""
        ...

    def withdraw(self, job: Job[Answer]) -> None:
        """The caller left."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served(Generic[Model, Row, Answer]):
    """A predictor, the scheduler that feeds it, and what GET /models says about it."""

    card: ModelCard
    predictor: Model
    scheduler: Scheduler[Row, Answer]

    @property
    def name(self) -> ModelName:
        return ModelName(self.card.name, self.card.version)


class Catalogue:
    """Filled once while the service starts, read by every request."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._models: dict[str, Served[Any, Any, Any]] = {}

    def add(self, served: Served[Any, Any, Any]) -> None:
        self._models[served.card.name] = served

    def find(self, task: Task, name: str | None) -> Served[Any, Any, Any]:
        """The named one, or the task's default. Raises NotReadyError or UnknownModelError."""
        return self.candidates(task, name)[0]

    def candidates(self, task: Task, name: str | None) -> list[Served[Any, Any, Any]]:
        """The named one alone, or all of the task, its default first. Raises NotReadyError or UnknownModelError."""
        self._door.check()
        of_task = {known: served for known, served in self._models.items() if served.card.task == task}
        if not of_task:
            raise UnknownModelError(f"no model here answers /{task}; GET /models lists those there are")
        if name is None:
            return sorted(of_task.values(), key=lambda served: not served.card.default)
        if name not in of_task:
            raise UnknownModelError(f"/{task} has no model named {name!r}; known: {', '.join(sorted(of_task))}")
        return [of_task[name]]

    def cards(self) -> list[ModelCard]:
        """Raises NotReadyError while they load."""
        self._door.check()
        return [served.card for served in self._models.values()]

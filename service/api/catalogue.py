"""The models that are served, by task and name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

from service.api.cards import ModelCard
from service.api.schemas import ModelName
from service.api.versions import full_name
from service.bundle import Task
from service.errors import UnknownModelError
from service.predictors.predictor import Predictor
from service.scheduling.admission import Door
from service.scheduling.job import Answer, Job
from service.scheduling.prediction import Density
from service.scheduling.virtual_time import Priority

Model = TypeVar("Model", bound=Predictor[Any, Any])
Row = TypeVar("Row")
Row_contra = TypeVar("Row_contra", contravariant=True)


class Scheduler(Protocol[Row_contra, Answer]):
    """Where a model's rows wait and are run: a batcher, or a decoder."""

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        """Raises what ``enqueue`` would for about so many tokens."""
        ...

    def enqueue(
        self, rows: Sequence[Row_contra], /, *, deadline: float, priority: Priority = Priority.INTERACTIVE
    ) -> Job[Answer]:
        """Await the job's ``done``."""
        ...

    def withdraw(self, job: Job[Answer]) -> None:
        """The caller left."""
        ...

    def close(self) -> None:
        """The model is served no longer: leave the slots once its last request is answered."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served(Generic[Model, Row, Answer]):
    """A predictor, the scheduler that feeds it, and what GET /models says about it."""

    card: ModelCard
    predictor: Model
    scheduler: Scheduler[Row, Answer]
    density: Density = field(default_factory=Density)

    @property
    def name(self) -> ModelName:
        return ModelName(self.card.name, self.card.version)

    @property
    def full_name(self) -> str:
        return full_name(self.card.name, self.card.version)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shelf:
    """One task's models."""

    named: Mapping[str, Served[Any, Any, Any]]  # each by its full name, and the highest version by the name alone
    ranked: Sequence[Served[Any, Any, Any]]  # the default, then the highest version of each name
    full_names: Sequence[str]

    @classmethod
    def of(cls, models: Sequence[Served[Any, Any, Any]]) -> Self:
        """From models by name, the highest version of each first."""
        highest: dict[str, Served[Any, Any, Any]] = {}
        for served in models:
            highest.setdefault(served.card.name, served)
        default = [served for served in models if served.card.default]
        others = [served for served in highest.values() if not served.card.default]
        by_full_name = {served.full_name: served for served in models}
        return cls(named=highest | by_full_name, ranked=default + others, full_names=list(by_full_name))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stock:
    """All that is served at one time."""

    models: Sequence[Served[Any, Any, Any]]  # by name, the highest version of each first
    shelves: Mapping[str, Shelf]  # by task; none is empty

    @classmethod
    def of(cls, models: Sequence[Served[Any, Any, Any]]) -> Self:
        tasks = dict.fromkeys(served.card.task for served in models)
        shelves = {task: Shelf.of([served for served in models if served.card.task == task]) for task in tasks}
        return cls(models=tuple(models), shelves=shelves)


class Catalogue:
    """Read by every request, and exchanged as a whole: who found a model keeps it."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._stock = Stock(models=(), shelves={})

    @property
    def models(self) -> Sequence[Served[Any, Any, Any]]:
        """By name, the highest version of each first."""
        return self._stock.models

    def switch(self, models: Sequence[Served[Any, Any, Any]]) -> None:
        """From now on these, by name and the highest version of each first, and no others."""
        self._stock = Stock.of(models)

    def find(self, task: Task, name: str | None) -> Served[Any, Any, Any]:
        """The named one, or the task's default. Raises NotReadyError or UnknownModelError."""
        return self.candidates(task, name)[0]

    def candidates(self, task: Task, name: str | None) -> Sequence[Served[Any, Any, Any]]:
        """The named one alone, or all of the task, its default first. A name without a version is that of the highest.
        Raises NotReadyError or UnknownModelError."""
        self._door.check()
        shelf = self._stock.shelves.get(task)
        if shelf is None:
            raise UnknownModelError(f"no model here answers /{task}; GET /models lists those there are")
        if name is None:
            return shelf.ranked
        if name not in shelf.named:
            raise UnknownModelError(f"/{task} has no model named {name!r}; known: {', '.join(shelf.full_names)}")
        return [shelf.named[name]]

    def of_task(self, task: Task) -> Iterator[Served[Any, Any, Any]]:
        """All models of a task, none while they load."""
        return (served for served in self._stock.models if served.card.task == task)

    def cards(self) -> list[ModelCard]:
        """Raises NotReadyError while they load."""
        self._door.check()
        return [served.card for served in self._stock.models]

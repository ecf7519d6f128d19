"""Model registry: the models that are served, by task and name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, Self, TypeVar

from service.bundle import Task
from service.errors import UnknownModelError
from service.lifecycle import Lifecycle
from service.models.cards import ModelCard, ModelName, full_name
from service.predictors.predictor import Predictor
from service.scheduling.job import Answer, Job, Priority

Model = TypeVar("Model", bound=Predictor[Any, Any])
Row = TypeVar("Row")
Row_contra = TypeVar("Row_contra", contravariant=True)


class Scheduler(Protocol[Row_contra, Answer]):
    """Protocol of a model's scheduler, a batcher or a decoder: its rows wait there and are run."""

    def check(self, *, deadline: float, tokens: int = 1, priority: Priority = Priority.INTERACTIVE) -> None:
        """Raise what ``enqueue`` would for about so many tokens."""
        ...

    def enqueue(
        self,
        rows: Sequence[Row_contra],
        /,
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        accepted: bool = False,
    ) -> Job[Answer]:
        """Queue rows and return their job; await the job's ``done``. Rows of a request that was ``accepted`` before are
        never refused for want of room."""
        ...

    def withdraw(self, job: Job[Answer]) -> None:
        """Drop a job whose caller has disconnected."""
        ...

    def close(self) -> None:
        """Stop serving the model: leave the thread pool once the last request is answered."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedModel(Generic[Model, Row, Answer]):
    """A predictor, the scheduler that feeds it, and its card for GET /models."""

    card: ModelCard
    predictor: Model
    scheduler: Scheduler[Row, Answer]
    scorer: ServedModel[Model, Any, Any] | None = None  # of a language model: the same model as it scores texts
    name: ModelName = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", ModelName(self.card.name, self.card.version))

    def close(self) -> None:
        """Stop serving the model once the last request is answered."""
        self.scheduler.close()
        if self.scorer is not None:
            self.scorer.close()

    @property
    def full_name(self) -> str:
        return full_name(self.card.name, self.card.version)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskModels:
    """Models of one task."""

    named: Mapping[str, ServedModel[Any, Any, Any]]  # each by its full name, and the highest version by the name alone
    ranked: Sequence[ServedModel[Any, Any, Any]]  # the default, then the highest version of each name
    full_names: Sequence[str]

    @classmethod
    def of(cls, models: Sequence[ServedModel[Any, Any, Any]]) -> Self:
        """Index models that are sorted by name, the highest version of each first."""
        highest: dict[str, ServedModel[Any, Any, Any]] = {}
        for served in models:
            highest.setdefault(served.card.name, served)
        default = [served for served in models if served.card.default]
        others = [served for served in highest.values() if not served.card.default]
        by_full_name = {served.full_name: served for served in models}
        return cls(named=highest | by_full_name, ranked=default + others, full_names=list(by_full_name))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """The models that are served at one time."""

    models: Sequence[ServedModel[Any, Any, Any]]  # by name, the highest version of each first
    by_task: Mapping[str, TaskModels]  # by task; none is empty

    @classmethod
    def of(cls, models: Sequence[ServedModel[Any, Any, Any]]) -> Self:
        tasks = dict.fromkeys(served.card.task for served in models)
        by_task = {task: TaskModels.of([served for served in models if served.card.task == task]) for task in tasks}
        return cls(models=tuple(models), by_task=by_task)


class ModelRegistry:
    """Models by task and name, replaced as a whole: a request keeps the model that it has found."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._snapshot = Snapshot(models=(), by_task={})

    @property
    def models(self) -> Sequence[ServedModel[Any, Any, Any]]:
        """Return all models by name, the highest version of each first."""
        return self._snapshot.models

    def switch(self, models: Sequence[ServedModel[Any, Any, Any]]) -> None:
        """Serve these models from now on, and no others; they are sorted by name, the highest version of each first."""
        self._snapshot = Snapshot.of(models)

    def find(self, task: Task, name: str | None) -> ServedModel[Any, Any, Any]:
        """Return the named model, or the task's default. Raises NotReadyError or UnknownModelError."""
        found = self._snapshot.by_task.get(task) if self._lifecycle.is_accepting else None
        if found is not None and name is None:
            return found.ranked[0]
        return self.candidates(task, name)[0]

    def candidates(self, task: Task, name: str | None) -> Sequence[ServedModel[Any, Any, Any]]:
        """Return the named model alone, or all of the task, its default first. A name without a version means the
        highest. Raises NotReadyError or UnknownModelError."""
        self._lifecycle.check()
        task_models = self._snapshot.by_task.get(task)
        if task_models is None:
            raise UnknownModelError(f"no model here answers /{task}; GET /models lists those there are")
        if name is None:
            return task_models.ranked
        if name not in task_models.named:
            raise UnknownModelError(f"/{task} has no model named {name!r}; known: {', '.join(task_models.full_names)}")
        return [task_models.named[name]]

    def cards(self) -> list[ModelCard]:
        """Return the cards of all models. Raises NotReadyError while they load."""
        self._lifecycle.check()
        return [served.card for served in self._snapshot.models]

"""Model registry: the models that are served, by task and name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from service.bundle import Task
from service.errors import UnknownModelError
from service.lifecycle import Lifecycle
from service.models.cards import ModelCard, ModelName, full_name
from service.predictors.predictor import Predictor
from service.scheduling.scheduler import BaseScheduler

Model = TypeVar("Model", bound=Predictor[Any, Any])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedModel(Generic[Model]):
    """A predictor, the scheduler that feeds it, and its card for GET /models."""

    card: ModelCard
    predictor: Model
    scheduler: BaseScheduler[Any]
    scorer: ServedModel[Model] | None = None  # of a language model: the same model as it scores texts
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
        return full_name(self.card)


AnyModel = ServedModel[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskModels:
    """Models of one task."""

    named: Mapping[str, AnyModel]  # each by its full name, and the highest version by the name alone
    ranked: Sequence[AnyModel]  # the default, then the highest version of each name
    full_names: Sequence[str]

    @classmethod
    def of(cls, models: Sequence[AnyModel]) -> Self:
        """Index models that are sorted by name, the highest version of each first."""
        highest: dict[str, AnyModel] = {}
        for served in models:
            highest.setdefault(served.card.name, served)
        default = [served for served in models if served.card.default]
        others = [served for served in highest.values() if not served.card.default]
        by_full_name = {served.full_name: served for served in models}
        return cls(named=highest | by_full_name, ranked=default + others, full_names=list(by_full_name))


class ModelRegistry:
    """Models by task and name, replaced as a whole: a request keeps the model that it has found."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.models: Sequence[AnyModel] = ()  # by name, the highest version of each first
        self._by_task: Mapping[str, TaskModels] = {}  # of each task that has a model
        self._lifecycle = lifecycle

    def switch(self, models: Sequence[AnyModel]) -> None:
        """Serve these models from now on, and no others; they are sorted by name, the highest version of each first."""
        tasks = dict.fromkeys(served.card.task for served in models)
        self.models = tuple(models)
        self._by_task = {task: TaskModels.of([each for each in models if each.card.task == task]) for task in tasks}

    def find(self, task: Task, name: str | None) -> AnyModel:
        """Return the named model, or the task's default. Raises NotReadyError or UnknownModelError."""
        found = self._by_task.get(task) if self._lifecycle.is_accepting else None
        if found is not None and name is None:
            return found.ranked[0]
        return self.candidates(task, name)[0]

    def candidates(self, task: Task, name: str | None) -> Sequence[AnyModel]:
        """Return the named model alone, or all of the task, its default first. A name without a version means the
        highest. Raises NotReadyError or UnknownModelError."""
        self._lifecycle.check()
        task_models = self._by_task.get(task)
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
        return [served.card for served in self.models]

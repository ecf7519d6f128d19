"""The models that are served, by name."""

from __future__ import annotations

from dataclasses import dataclass

from service.api.schemas import ModelCard, ModelName
from service.errors import UnknownModelError
from service.predictors.tagger import TaggedRow, Tagger
from service.scheduling.admission import Door
from service.scheduling.batcher import Batcher


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedTagger:
    """A tagger, the batcher that feeds it, and what GET /models says about it."""

    card: ModelCard
    tagger: Tagger
    batcher: Batcher[TaggedRow]

    @property
    def name(self) -> ModelName:
        return ModelName(self.card.name, self.card.version)


class Catalogue:
    """Filled once while the service starts, read by every request."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._taggers: dict[str, ServedTagger] = {}

    def add(self, served: ServedTagger) -> None:
        self._taggers[served.card.name] = served

    def tagger(self, name: str | None) -> ServedTagger:
        """The named one, or the default. Raises NotReadyError or UnknownModelError."""
        self._door.check()
        for served in self._taggers.values():
            if served.card.name == name or (name is None and served.card.default):
                return served
        known = ", ".join(sorted(self._taggers)) or "none"
        asked = "default model" if name is None else f"model named {name!r}"
        raise UnknownModelError(f"/tag has no {asked}; known: {known}")

    def cards(self) -> list[ModelCard]:
        """Raises NotReadyError while they load."""
        self._door.check()
        return [served.card for served in self._taggers.values()]

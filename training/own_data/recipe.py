"""The parts of a card and a manifest that all models of one's own share: how it was made, and its terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from training.card import Terms
from training.own_data.options import TrainOptions
from training.own_data.sizes import is_too_few

OWN = "of its owner; not stated"
RECIPE = """
{start}{train:,} examples to learn from, {dev:,} to choose by, {test:,} to measure by. Seed {seed}. {chosen} on
dev; test was read once, for this card.

```
{command}
```

{verdict}
"""


class Start(Protocol):
    """A published model that training begins with."""

    @property
    def name(self) -> str: ...

    @property
    def licence(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Origin of a model: the command and its options, the data file, and the model that training began with."""

    options: TrainOptions
    data: str  # name of the file
    sizes: tuple[int, int, int]  # examples of train, dev and test
    start: Start | None = None

    @property
    def num_dev(self) -> int:
        return self.sizes[1]

    @property
    def terms(self) -> Terms:
        """The terms of the model. Those of the data are its owner's to know."""
        corpora = [{"name": self.data, "use": "training data", "licence": OWN, "source": "own data"}]
        whole = "that of the training data"
        if self.start:
            begun = {"name": self.start.name, "use": "weights to begin with", "licence": self.start.licence or OWN}
            corpora.append(begun | {"source": "ribbon"})
            whole = f"{whole}, and of {self.start.name}: {self.start.licence}"
        return Terms(corpora=corpora, licence=whole, commercial_use=None)

    def recipe(self, *, chosen: str, verdict: str) -> str:
        """The section of a card that says how the model was made."""
        train, dev, test = self.sizes
        return RECIPE.format(
            start=f"Training began with the weights of {self.start.name}. " if self.start else "",
            train=train,
            dev=dev,
            test=test,
            seed=self.options.seed,
            chosen=chosen,
            command=self.options.command,
            verdict=verdict,
        )


def chosen_text(num_dev: int, what: Sequence[str]) -> str:
    """Words for what so many dev examples chose: the epoch, if they are enough for it, and ``what``."""
    if is_too_few(num_dev):
        return f"The last epoch was taken, and {' and '.join(what)} chosen"
    return f"{', '.join(['The epoch', *what[:-1]])} and {what[-1]} were chosen"

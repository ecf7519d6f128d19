"""The parts of a card and a manifest that all models of one's own share: how it was made, and its terms."""

from __future__ import annotations

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


def chosen_text(num_dev: int, what: str, temperature: float) -> str:
    """Words for what so many dev examples chose: the epoch, if they are enough for it, and a temperature."""
    if is_too_few(num_dev):
        return f"The last epoch was taken, and the {what} ({temperature:.3f}) chosen"
    return f"The epoch and the {what} ({temperature:.3f}) were chosen"


def own_terms(data: str, *, start: str | None, licence: str | None) -> Terms:
    """The terms of a model of one's own data. Those of the data are its owner's to know."""
    corpora = [{"name": data, "use": "training data", "licence": OWN, "source": "own data"}]
    if start:
        corpora.append({"name": start, "use": "weights to begin with", "licence": licence or OWN, "source": "ribbon"})
    whole = f"that of the training data, and of {start}: {licence}" if start else "that of the training data"
    return Terms(corpora=corpora, licence=whole, commercial_use=None)


def own_recipe(
    options: TrainOptions, *, start: str | None, sizes: tuple[int, int, int], chosen: str, verdict: str
) -> str:
    """The section of a card that says how the model was made; ``sizes`` of train, dev and test."""
    train, dev, test = sizes
    return RECIPE.format(
        start=f"Training began with the weights of {start}. " if start else "",
        train=train,
        dev=dev,
        test=test,
        seed=options.seed,
        chosen=chosen,
        command=options.command,
        verdict=verdict,
    )

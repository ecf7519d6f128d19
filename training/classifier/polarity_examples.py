"""Short generated texts with a polarity: negations, turns with "but", idioms, support messages, headlines, requests.

The templates of ``polarity_templates.toml`` are our own. Corpora hold few such texts, in which the small words decide.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from training.corpora.labelled_text import LabelledText

TEMPLATES = Path(__file__).with_name("polarity_templates.toml")
SOURCE = "templates"
_SLOT = re.compile(r"\{(\w+)\}")
_FULL_STOP_RATE, _LOWER_RATE, _EXCLAMATION_RATE = 0.4, 0.25, 0.1


def polarity_examples(
    count: int, labels: Sequence[str], rng: np.random.Generator, path: Path = TEMPLATES
) -> list[LabelledText]:
    """At most ``count`` different texts, as many of each label as its share of the templates.

    Each template without slots stands once. Raises KeyError on an unknown slot or a label that has no templates.
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    slots = content.pop("slots")
    templates = [(template, label) for label in labels for template in content[label]]
    chosen = {template: label for template, label in templates if "{" not in template}
    for place in rng.integers(len(templates), size=10 * count):
        if len(chosen) >= count:
            break
        template, label = templates[place]
        chosen.setdefault(fill(template, slots, rng), label)
    return [
        LabelledText(text=vary(text, rng), target=tuple(float(name == label) for name in labels), source=SOURCE)
        for text, label in chosen.items()
    ]


def fill(template: str, slots: Mapping[str, Sequence[str]], rng: np.random.Generator) -> str:
    """The template with a random filler in each slot."""
    return _SLOT.sub(lambda found: slots[found[1]][rng.integers(len(slots[found[1]]))], template)


def vary(text: str, rng: np.random.Generator) -> str:
    """The text with a full stop or an exclamation mark at its end, or begun in lower case, as people type it."""
    if rng.random() < _LOWER_RATE:
        text = text[:1].lower() + text[1:]
    if text[-1].isalnum():
        draw = rng.random()
        text += "." if draw < _FULL_STOP_RATE else "!" if draw < _FULL_STOP_RATE + _EXCLAMATION_RATE else ""
    return text

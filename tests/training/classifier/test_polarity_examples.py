from __future__ import annotations

import re
import tomllib

import numpy as np
import pytest

from training.classifier.polarity_examples import TEMPLATES, polarity_examples

LABELS = ("negative", "neutral", "positive")


def test_every_slot_of_a_template_has_fillers():
    content = tomllib.loads(TEMPLATES.read_text(encoding="utf-8"))
    slots = content.pop("slots")
    assert set(content) == set(LABELS)
    used = {slot for templates in content.values() for each in templates for slot in re.findall(r"\{(\w+)\}", each)}
    assert used == set(slots)
    assert all(len(set(fillers)) == len(fillers) for fillers in slots.values())


def test_examples_are_many_different_ones_of_every_label_and_the_same_for_a_seed():
    first, second = (polarity_examples(2000, LABELS, np.random.default_rng(3)) for _ in range(2))
    assert first == second
    assert len(first) == 2000
    assert len({each.text for each in first}) > 1900
    assert {each.label for each in first} == {0, 1, 2}
    assert not any("{" in each.text for each in first)


def test_a_label_without_templates_is_told():
    with pytest.raises(KeyError, match="mixed"):
        polarity_examples(10, ("mixed",), np.random.default_rng(0))

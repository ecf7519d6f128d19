"""A split of examples into those to learn from and those set aside, by label and by seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np

HELD_OUT_SHARE = 0.15  # of the examples, for dev and test each
MOST_HELD_OUT = 3000  # of dev and test each

Item = TypeVar("Item")


def split(
    items: Sequence[Item], keys: Sequence[Hashable], strata: Sequence[str], num_parts: int, seed: int
) -> list[list[Item]]:
    """The items to learn from, then one or two parts set aside, each with a like share of every stratum.

    Items of one key stay on one side. The same seed gives the same split, whatever the order of the file.
    """
    share = min(HELD_OUT_SHARE, MOST_HELD_OUT / max(1, len(items)))
    groups: defaultdict[str, defaultdict[Hashable, list[Item]]] = defaultdict(lambda: defaultdict(list))
    stratum_of: dict[Hashable, str] = {}
    for item, key, stratum in zip(items, keys, strata, strict=True):
        groups[stratum_of.setdefault(key, stratum)][key].append(item)
    parts: list[list[Item]] = [[] for _ in range(1 + num_parts)]
    rng = np.random.default_rng(seed)
    for stratum in sorted(groups):
        members = [groups[stratum][key] for key in sorted(groups[stratum], key=str)]
        order = rng.permutation(len(members))
        aside = max(1, round(share * len(members))) if len(members) > num_parts else 0
        for place, number in enumerate(order):
            part = 1 + place // aside if aside and place < aside * num_parts else 0
            parts[part] += members[number]
    return parts

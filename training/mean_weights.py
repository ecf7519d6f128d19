"""Mean of the weights at several points of one training run, for instance where its rate fell to zero (Izmailov et al.
2018).

    python -m training.mean_weights runs/a/first.pt runs/a/checkpoint.pt --out runs/a/best.pt

A file is a ``best.pt``, or a ``checkpoint.pt``, of which the running average counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

State = dict[str, Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, help="file to write the mean to")
    arguments = parser.parse_args()
    state = mean_of([weights_of(path) for path in arguments.files])
    torch.save({"network": state}, arguments.out)
    print(f"{sum(value.numel() for value in state.values()):,} weights, the mean of {len(arguments.files)} files")


def weights_of(path: Path) -> State:
    """The weights of a file that :func:`training.loop.fit` wrote, those that it scores."""
    content = torch.load(path, weights_only=True, map_location="cpu")
    state: State = content.get("averaged") or content["network"]
    return state


def mean_of(states: Sequence[State]) -> State:
    """The mean of each weight. Raises ValueError if the states are not of networks of one form."""
    first, *others = ({name: value.shape for name, value in state.items()} for state in states)
    if any(other != first for other in others):
        raise ValueError("the networks differ in their layers or sizes")
    return {name: torch.stack([state[name] for state in states]).mean(0) for name in first}


if __name__ == "__main__":
    main()

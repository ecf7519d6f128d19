"""Shape rounding: sizes are rounded up to a few, so that what is planned and allocated for one shape is used again.

An axis is known by the name that the graph gives it, and an array's padding is cut off again by the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Axes = Sequence[str | int | None]  # of one input or output, as the graph has them: named, fixed or unknown
Sizes = Mapping[str, int]  # by an axis' name

LEAST_TIME_STEP = 16


def next_power_of_two(size: int) -> int:
    return 1 << max(0, size - 1).bit_length()


def next_time(size: int) -> int:
    """Round up to a multiple of 16, or for long rows of an eighth of their magnitude: 32, 128, 288, 1152."""
    step = max(LEAST_TIME_STEP, 1 << max(0, (size - 1).bit_length() - 4))
    return -(-size // step) * step


ROUNDING: Mapping[str, Callable[[int], int]] = {
    "batch": next_power_of_two,
    "row": next_power_of_two,
    "source": next_power_of_two,
    "time": next_time,
}
# Values of padding by the input's name; 0 for all others. cuDNN knows no row without a token.
FILLING: Mapping[str, int] = {"lengths": 1}


def sizes_of(inputs: Mapping[str, Array], axes: Mapping[str, Axes]) -> Sizes:
    """Return the real size of each named axis of the inputs."""
    return {
        axis: size
        for name, array in inputs.items()
        for axis, size in zip(axes[name], array.shape, strict=True)
        if isinstance(axis, str)
    }


def padded(name: str, array: Array, axes: Axes) -> Array:
    """Return an input, contiguous, with its axes rounded up; the array itself if there is nothing to do."""
    shape = tuple(map(_rounded, axes, array.shape))
    if shape == array.shape:
        return np.ascontiguousarray(array)
    larger = np.full(shape, FILLING.get(name, 0), array.dtype)
    larger[tuple(map(slice, array.shape))] = array
    return larger


def cut(array: Array, axes: Axes, sizes: Sizes) -> Array:
    """Return a view of an output without its padding."""
    ends = [sizes.get(axis) if isinstance(axis, str) else None for axis in axes]
    return array[tuple(map(slice, ends))]


def _rounded(axis: str | int | None, size: int) -> int:
    round_up = ROUNDING.get(axis) if isinstance(axis, str) else None
    return size if round_up is None else round_up(size)

"""CUDA sessions: few shapes, each input copied to the device once, outputs brought back.

Sizes are rounded up to a few, so that what is planned and allocated for one shape is used again. An axis is known by
the name that the graph gives it, and an array's padding is cut off again by the same names. Tests run all of this
against invented devices only; it has not been measured on a GPU.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Axes = Sequence[str | int | None]  # of one input or output, as the graph has them: named, fixed or unknown
Sizes = Mapping[str, int]  # by an axis' name

LEAST_TIME_STEP = 16


class Value(Protocol):
    """Input or output of a graph."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> Axes: ...


class Binding(Protocol):
    """Inputs and outputs of one run, and their places."""

    def bind_cpu_input(self, name: str, array: Array, /) -> None: ...
    def bind_ortvalue_input(self, name: str, value: Any, /) -> None: ...
    def bind_output(self, name: str, device: str, /) -> None: ...
    def copy_outputs_to_cpu(self) -> Sequence[Array]: ...


class Native(Protocol):
    """The part of onnxruntime's ``InferenceSession`` that is used."""

    def get_inputs(self) -> Sequence[Value]: ...
    def get_outputs(self) -> Sequence[Value]: ...
    def io_binding(self) -> Binding: ...
    def run_with_iobinding(self, binding: Any, /) -> None: ...


class CudaSession:
    """Session whose runs have one of few shapes and copy no more than they must. ``upload`` brings an array to the
    device. May be called by several threads at once: each run binds for itself."""

    def __init__(self, native: Native, upload: Callable[[Array], Any]) -> None:
        self._native = native
        self._inputs: Mapping[str, Axes] = {value.name: value.shape for value in native.get_inputs()}
        self._outputs: Mapping[str, Axes] = {value.name: value.shape for value in native.get_outputs()}
        self._device_cache = DeviceCache(upload)

    @property
    def num_kept(self) -> int:
        """Number of inputs whose copies are on the device."""
        return len(self._device_cache)

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """Return every output of the graph by name. A read-only input stays on the device as long as it lives."""
        sizes = sizes_of(inputs, self._inputs)
        binding = self._native.io_binding()
        alive = [self._bind(binding, name, array) for name, array in inputs.items()]
        for name in self._outputs:
            binding.bind_output(name, "cpu")
        self._native.run_with_iobinding(binding)
        outputs = zip(self._outputs.items(), binding.copy_outputs_to_cpu(), strict=True)
        answer = {name: cut(array, axes, sizes) for (name, axes), array in outputs}
        alive.clear()  # until here: a binding may read where the array is, without owning it
        return answer

    def _bind(self, binding: Binding, name: str, array: Array) -> Any:
        """Bind an input and return the object that must live as long as the binding."""
        if array.flags.writeable:
            larger = padded(name, array, self._inputs[name])
            binding.bind_cpu_input(name, larger)
            return larger
        value = self._device_cache.of(array, lambda: padded(name, array, self._inputs[name]))
        binding.bind_ortvalue_input(name, value)
        return value


class DeviceCache:
    """Copies of arrays on the device, kept as long as the arrays live."""

    def __init__(self, upload: Callable[[Array], Any]) -> None:
        self._upload = upload
        self._values: dict[int, Any] = {}  # by the array's id, which is its own for as long

    def __len__(self) -> int:
        return len(self._values)

    def of(self, array: Array, source: Callable[[], Array]) -> Any:
        """Return the copy of ``source()``, which is made when this very array is seen for the first time."""
        key = id(array)
        if key not in self._values:
            self._values[key] = self._upload(source())
            weakref.finalize(array, self._values.pop, key, None).atexit = False
        return self._values[key]


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

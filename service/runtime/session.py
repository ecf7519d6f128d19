"""A model's graph, ready to run. The only importer of onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy.typing as npt
import onnxruntime

from service.errors import BundleError, DeviceError

Arrays = Mapping[str, npt.NDArray[Any]]
Device = Literal["cpu", "cuda"]
PROVIDERS: Mapping[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Session(Protocol):
    """Named arrays in, named arrays out. May be called by several threads at once."""

    def run(self, inputs: Arrays) -> Arrays: ...


class OnnxSession:
    """An ONNX file under onnxruntime.

    Set up for several one-thread runs at once: spinning is off because a waiting thread would burn the core
    that another run needs. The arena is on: without it every run's large arrays are fresh pages, and to have them
    cleared costs up to a third of a run. It keeps what the largest runs at one time took, and no more: the service
    bounds a run's cells and makes the largest runs once before it is ready.
    Raises BundleError if the file is no graph, DeviceError if the device is not there.
    """

    def __init__(self, path: Path, *, device: Device = "cpu", num_threads: int = 1) -> None:
        provider = _available(device)
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), sess_options=_options(num_threads), providers=[provider]
            )
        except Exception as error:
            # onnxruntime raises a family of its own that shares no base; its message names no reader's fault.
            raise BundleError(f"{path}: onnxruntime cannot load it ({type(error).__name__})") from error
        if provider not in self._session.get_providers():  # it falls back to the CPU with no more than a warning
            raise DeviceError(f"RIBBON_DEVICE={device}: onnxruntime could not start {provider}")
        self._outputs = [output.name for output in self._session.get_outputs()]

    @property
    def input_names(self) -> list[str]:
        return [value.name for value in self._session.get_inputs()]

    @property
    def output_names(self) -> list[str]:
        return list(self._outputs)

    def run(self, inputs: Arrays) -> Arrays:
        """Every output of the graph by name. Releases the GIL while it computes."""
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))


def _available(device: Device) -> str:
    provider = PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        raise DeviceError(f"RIBBON_DEVICE={device}: this onnxruntime has no {provider}; install onnxruntime-gpu")
    return provider


def _options(num_threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = True
    options.enable_mem_pattern = False  # plans are kept by shape, and there is no end of shapes
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: they reach us as exceptions too
    return options

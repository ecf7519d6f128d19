"""Sessions: a model's graph, ready to run. The only importer of onnxruntime."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

from service.errors import BundleError, DeviceError
from service.runtime.resources import Device, Obstacle

Arrays = Mapping[str, npt.NDArray[Any]]
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
GPU_BYTES = 4 << 30
CUDA_OPTIONS: Mapping[str, str] = {
    # Memory grows by what is asked for and not by doubling; the warm-up makes the largest runs. Each graph has an arena
    # of its own; the limit is far above the largest run there can be, and keeps a mistake in the settings from taking
    # the card from everybody else.
    "arena_extend_strategy": "kSameAsRequested",
    "gpu_mem_limit": str(GPU_BYTES),
    # TF32 multiplies with 10 bits of mantissa: scores would drift further than the bundles promise.
    "use_tf32": "0",
}
# Operators without a kernel on the GPU run on the CPU beside it.
_PROVIDERS: Mapping[Device, Sequence[Any]] = {"cpu": (CPU,), "cuda": ((CUDA, dict(CUDA_OPTIONS)), CPU)}
_WARNINGS, _SILENT = 2, 4  # severities of onnxruntime's log
# ``product = factor @ factor``, (2, 2): the smallest graph for which a GPU has to compute something.
PROBE = bytes.fromhex(
    "08083a5b0a210a06666163746f720a06666163746f72120770726f6475637422064d61744d756c1201705a180a06666163746f72120e0a0c"
    "080112080a0208020a02080262190a0770726f64756374120e0a0c080112080a0208020a02080242040a00100d"
)


# One arena for all sessions: of their own each would keep its largest runs for good, though few run at one time.
onnxruntime.create_and_register_allocator(
    onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    ),
    None,
)


class Session(Protocol):
    """A graph that takes and gives named arrays. May be called by several threads at once."""

    def run(self, inputs: Arrays) -> Arrays: ...


class Runtime(Protocol):
    """The part of the module ``onnxruntime`` that is used."""

    __file__: str | None

    @property
    def InferenceSession(self) -> Any: ...  # noqa: N802
    def get_available_providers(self) -> Sequence[str]: ...
    def preload_dlls(self) -> None: ...
    def set_default_logger_severity(self, severity: int, /) -> None: ...


class OnnxSession:
    """An ONNX file under onnxruntime. On the CPU it starts no thread, so a process that has opened it may fork.

    Set up for several one-thread runs at once: spinning is off because a waiting thread would burn the core
    that another run needs. The arena is on: without it every run's large arrays are fresh pages, and to have them
    cleared costs up to a third of a run. All sessions of the process share it. It keeps what the largest runs at one
    time took, and no more: the service bounds a run's cells and makes the largest runs once before it is ready.
    Raises BundleError if the file is no graph, DeviceError if CUDA does not start for it.
    """

    def __init__(
        self, path: Path, *, device: Device = "cpu", num_threads: int = 1, runtime: Runtime = onnxruntime
    ) -> None:
        self._session = _open(runtime, path, _PROVIDERS[device], num_threads)
        if device == "cuda" and CUDA not in self._session.get_providers():
            raise DeviceError(f"{path}: onnxruntime could not start {CUDA} for it")
        self._outputs = [output.name for output in self._session.get_outputs()]

    @property
    def input_names(self) -> list[str]:
        return [value.name for value in self._session.get_inputs()]

    @property
    def output_names(self) -> list[str]:
        return list(self._outputs)

    def run(self, inputs: Arrays) -> Arrays:
        """Return every output of the graph by name. Releases the GIL while it computes."""
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))


def open_session(path: Path, *, device: Device) -> Session:
    """Open a graph on a device. Raises BundleError if the file is no graph, DeviceError if the device is not there."""
    return OnnxSession(path, device=device)


def release_arena() -> None:
    """Return the memory that the sessions' arena keeps for later runs, but for blocks that hold weights too."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    _native(onnxruntime, PROBE, [CPU], num_threads=1).run(None, {"factor": np.eye(2, dtype=np.float32)}, options)


def has_cuda(runtime: Runtime = onnxruntime) -> bool:
    """Whether this onnxruntime was built for CUDA. It starts nothing, so a process that is to fork may ask."""
    return CUDA in runtime.get_available_providers()


def find_obstacle(runtime: Runtime = onnxruntime) -> Obstacle | None:
    """Return why CUDA cannot be used, found out by using it; None if it can. Then it has been started, and children of
    this process cannot use it."""
    if not has_cuda(runtime):
        reason = f"this onnxruntime has no {CUDA}; onnxruntime-gpu has"
        return Obstacle(reason=reason, log_level=logging.INFO)
    try:
        flaw = _flaw(runtime)
    except Exception as error:  # onnxruntime's errors share no base
        flaw = " ".join(str(error).split()) or type(error).__name__
    if not flaw:
        return None
    return Obstacle(reason=f"onnxruntime could not start {CUDA}: {flaw}", log_level=logging.WARNING)


def _flaw(runtime: Runtime) -> str:
    """Let the GPU multiply two matrices; returns what is wrong, or nothing."""
    with redirect_stdout(StringIO()):  # where onnxruntime prints which libraries it did not find
        runtime.preload_dlls()  # those of the nvidia packages, if they are installed
    runtime.set_default_logger_severity(_SILENT)
    try:
        native = _native(runtime, PROBE, _PROVIDERS["cuda"], num_threads=1)
    finally:
        runtime.set_default_logger_severity(_WARNINGS)
    if CUDA not in native.get_providers():
        return _missing_library(runtime)
    factor = np.array([[1, 2], [3, 4]], np.float32)
    (product,) = native.run(["product"], {"factor": factor})
    return "" if np.array_equal(product, factor @ factor) else "2 x 2 is not 4 there"


def _missing_library(runtime: Runtime) -> str:
    """Return the reason that onnxruntime prints on standard error only."""
    library = Path(runtime.__file__ or "").parent / "capi" / "libonnxruntime_providers_cuda.so"
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        return str(error)
    return "no reason is known; is there a GPU, and its driver?"


def _open(runtime: Runtime, path: Path, providers: Sequence[Any], num_threads: int) -> Any:
    try:
        return _native(runtime, str(path), providers, num_threads)
    except Exception as error:
        # onnxruntime raises a family of its own that shares no base; its message names no reader's fault.
        raise BundleError(f"{path}: onnxruntime cannot load it ({type(error).__name__})") from error


def _native(runtime: Runtime, graph: str | bytes, providers: Sequence[Any], num_threads: int) -> Any:
    """Open a session that raises what fails: by default onnxruntime prints it and goes on with another provider."""
    return runtime.InferenceSession(
        graph, sess_options=_options(num_threads), providers=list(providers), enable_fallback=0
    )


def _options(num_threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = True
    options.enable_mem_pattern = False  # plans are kept by shape, and there is no end of shapes
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Without VNNI a processor adds two products of bytes in 16 bits, which overflow: have it compute exactly (ADR 7).
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3  # errors only: they reach us as exceptions too
    return options

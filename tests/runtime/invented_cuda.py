"""An onnxruntime that says it has CUDA: it runs everything on the CPU and keeps account of what was bound where.

It enters by the door of the real one; whatever it does not stand in for is the real one's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime

from service.runtime.session import CPU, CUDA


@dataclass
class Account:
    """What went over to the device and came back, in order."""

    providers: list[Any] = field(default_factory=list)  # each session's
    bound: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)  # inputs copied for one run
    kept: list[str] = field(default_factory=list)  # inputs that were there already
    outputs: list[tuple[str, str]] = field(default_factory=list)
    uploads: list[tuple[tuple[int, ...], str]] = field(default_factory=list)


class InventedBinding:
    """A run's binding, whose account is kept."""

    def __init__(self, real: Any, account: Account) -> None:
        self.real = real
        self._account = account

    def bind_cpu_input(self, name: str, array: Any) -> None:
        self._account.bound.append((name, array.shape))
        self.real.bind_cpu_input(name, array)

    def bind_ortvalue_input(self, name: str, value: Any) -> None:
        self._account.kept.append(name)
        self.real.bind_ortvalue_input(name, value)

    def bind_output(self, name: str, device: str) -> None:
        self._account.outputs.append((name, device))
        self.real.bind_output(name, device)

    def copy_outputs_to_cpu(self) -> Any:
        return self.real.copy_outputs_to_cpu()


class InventedSession:
    """A session that says where it runs, and runs on the CPU."""

    def __init__(self, real: Any, providers: Sequence[str], account: Account) -> None:
        self._real = real
        self._providers = list(providers)
        self._account = account

    def get_inputs(self) -> Any:
        return self._real.get_inputs()

    def get_outputs(self) -> Any:
        return self._real.get_outputs()

    def get_providers(self) -> list[str]:
        return self._providers

    def run(self, names: Any, feeds: Any) -> Any:
        return self._real.run(names, feeds)

    def io_binding(self) -> InventedBinding:
        return InventedBinding(self._real.io_binding(), self._account)

    def run_with_iobinding(self, binding: InventedBinding) -> None:
        self._real.run_with_iobinding(binding.real)


class InventedCuda:
    """The module. ``works`` says whether CUDA starts once it is asked to; ``raises``, what is raised instead."""

    __file__ = "/nowhere/onnxruntime/__init__.py"

    def __init__(self, *, is_built_in: bool = True, works: bool = True, raises: Exception | None = None) -> None:
        self.account = Account()
        self.severities: list[int] = []
        self._available = [CUDA, CPU] if is_built_in else [CPU]
        self._started = [CUDA, CPU] if works else [CPU]
        self._raises = raises

    def get_available_providers(self) -> list[str]:
        return self._available

    def preload_dlls(self) -> None:
        sys.stdout.write("Failed to load libcublas.so\n")

    def set_default_logger_severity(self, severity: int) -> None:
        self.severities.append(severity)

    def InferenceSession(self, graph: Any, *, sess_options: Any, providers: Any, enable_fallback: int) -> Any:  # noqa: N802
        if self._raises is not None:
            raise self._raises
        self.account.providers.append(providers)
        assert not enable_fallback
        real = onnxruntime.InferenceSession(graph, sess_options=sess_options, providers=[CPU])
        return InventedSession(real, self._started, self.account)

    @property
    def OrtValue(self) -> Any:  # noqa: N802
        return self

    def ortvalue_from_numpy(self, array: Any, device: str, number: int) -> Any:
        """A copy, as it would be on a GPU."""
        assert number == 0
        self.account.uploads.append((array.shape, device))
        return onnxruntime.OrtValue.ortvalue_from_numpy(np.array(array), "cpu", 0)

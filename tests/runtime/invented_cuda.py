"""An onnxruntime that says it has CUDA and runs everything on the CPU."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import onnxruntime

from service.runtime.session import CPU, CUDA


class InventedSession(onnxruntime.InferenceSession):
    """A session on the CPU that says it has other providers."""

    def __init__(self, graph: Any, *, options: Any, said: Sequence[str]) -> None:
        super().__init__(graph, sess_options=options, providers=[CPU])
        self._said = list(said)

    def get_providers(self) -> list[str]:
        return self._said


class InventedCuda:
    """The module. ``works`` says whether CUDA starts once it is asked to; ``raises``, what is raised instead."""

    __file__ = "/nowhere/onnxruntime/__init__.py"

    def __init__(self, *, is_built_in: bool = True, works: bool = True, raises: Exception | None = None) -> None:
        self.providers: list[Any] = []  # that each session was to have
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
        assert not enable_fallback
        self.providers.append(providers)
        return InventedSession(graph, options=sess_options, said=self._started)

"""Short work is done where it comes up; long work would hold up everybody, so it goes aside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import ParamSpec, TypeVar

from service.runtime.memory import release_free_memory

LONG_TEXT = 16_384  # characters: some 3,000 words, about 10 ms of tokenizing or of writing an answer
RELEASE_AFTER_SECONDS = 0.1  # by then the answer has been sent and forgotten

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Offload:
    """One side thread for long work: a second would only contend for the interpreter's lock.

    Afterwards the memory that long work took is given back.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._is_releasing = False

    async def __call__(
        self, length: int, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """``function(*args)``, for a text of so many characters."""
        if length <= LONG_TEXT:
            return function(*args, **kwargs)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))
        finally:
            if not self._is_releasing:
                self._is_releasing = True
                loop.call_later(RELEASE_AFTER_SECONDS, self._release)

    def _release(self) -> None:
        self._is_releasing = False
        with suppress(RuntimeError):  # the service has ended meanwhile
            self._executor.submit(release_free_memory)

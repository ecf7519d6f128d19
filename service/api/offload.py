"""Short work is done where it comes up; long work would hold up everybody, so it goes aside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import ParamSpec, TypeVar

LONG_TEXT = 16_384  # characters: some 3,000 words, about 10 ms of tokenizing or of writing an answer

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Offload:
    """One side thread for long work: a second would only contend for the interpreter's lock."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def __call__(
        self, length: int, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """``function(*args)``, for a text of so many characters."""
        if length <= LONG_TEXT:
            return function(*args, **kwargs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))

"""Side thread: long work on texts runs beside the event loop, short work on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import ParamSpec, TypeVar

from service.errors import OverloadedError
from service.runtime.resources import release_free_memory

LONG_TEXT = 8192  # characters: some 1,500 words, about 5 ms of tokenizing or of writing an answer, 12 ms at worst
RELEASE_AFTER_SECONDS = 0.1  # by then the answer has been sent and freed
MAX_WAITING = 4_194_304  # characters, some seconds of work: beyond, requests are refused

Given = ParamSpec("Given")
Result = TypeVar("Result")


class MemoryReturn:
    """Gives memory that has been freed back to the system, on an executor's thread."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._is_due = False

    def soon(self) -> None:
        """Do it once in a short while, however often it is asked for until then."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(RELEASE_AFTER_SECONDS, self._release)

    def _release(self) -> None:
        self._is_due = False
        with suppress(RuntimeError):  # the service has ended meanwhile
            self._executor.submit(release_free_memory)


class SideThread:
    """Runs long work on one thread: a second would only contend for the interpreter's lock.

    Afterwards the memory that the work took is given back to the system. Requests are refused at :meth:`check` only:
    what has been admitted is always worked on.
    """

    def __init__(self, executor: Executor) -> None:
        self.waiting = 0  # characters, those being worked on too
        self._executor = executor
        self._memory_return = MemoryReturn(executor)

    def check(self, length: int) -> None:
        """Raise OverloadedError if the limit of waiting work is reached. What finds nothing waiting always passes."""
        if self.waiting and self.waiting + length > MAX_WAITING:
            raise OverloadedError(
                f"{self.waiting} characters of long requests are waiting to be read: there is no room for more",
                retry_after_seconds=1,
            )

    async def __call__(
        self, length: int, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Return ``function(*args)``, computed on the event loop for a short text, else on the side thread."""
        if length <= LONG_TEXT:
            return function(*args, **kwargs)
        loop = asyncio.get_running_loop()
        self.waiting += length
        try:
            return await loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))
        finally:
            self.waiting -= length
            self._memory_return.soon()

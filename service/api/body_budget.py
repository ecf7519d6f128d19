"""Budget of the memory that request bodies take together, and its return to the system."""

from __future__ import annotations

from service.api.context import RequestContext
from service.api.side_thread import MemoryReturn
from service.errors import TooManyBodiesError

FREE_BYTES = 16_384  # of each body, that are not counted: callers who hold large bodies never keep out small ones
RETURNED_BYTES = 65_536  # a body of more leaves pages that the allocator would keep


class BodyBudget:
    """Counts the bytes of all bodies that are being read or answered, and refuses those beyond the limit. A compressed
    body counts as it came and once it is decompressed."""

    def __init__(self, max_bytes: int, memory_return: MemoryReturn) -> None:
        self.held = 0  # bytes, without the first ones of each body
        self._max_bytes = max_bytes
        self._memory_return = memory_return

    def add(self, context: RequestContext, num_bytes: int) -> None:
        """Count more bytes of a request's body. Raises TooManyBodiesError if that is too much: they count until the
        body is removed all the same, because they are still there. Only bodies of more than FREE_BYTES count."""
        before = context.held_bytes
        context.held_bytes = now = before + num_bytes
        if now <= FREE_BYTES:
            return
        self.held += now - max(before, FREE_BYTES)
        if self.held > self._max_bytes:
            raise TooManyBodiesError(
                f"the bodies of requests take {self._max_bytes} bytes already; send it again later, or less at once",
                retry_after_seconds=1,
            )

    def remove(self, context: RequestContext) -> None:
        """Forget the body of a request that has ended, whatever became of it."""
        self.held -= max(0, context.held_bytes - FREE_BYTES)
        if context.held_bytes > RETURNED_BYTES:
            self._memory_return.soon()

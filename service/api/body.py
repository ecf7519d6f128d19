"""Request bodies: JSON in UTF-8, decoded straight into the endpoint's type, within a budget of memory for all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import Any

import msgspec

from service.api.compression import content_size, decompress
from service.api.context import RequestContext
from service.api.side_thread import MemoryReturn
from service.api.validation import decoder_of, explain, fields_of
from service.errors import (
    BodyTimeoutError,
    BodyTooLargeError,
    CallerLeftError,
    InvalidRequestError,
    MalformedRequestError,
    TooManyBodiesError,
    UnsupportedEncodingError,
    UnsupportedMediaTypeError,
)
from service.settings import Settings

LARGE = 16_384  # bytes: a body of more is decoded, and what is wrong with it is found out, beside the event loop
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FAILURES = (msgspec.MsgspecError, RecursionError, ValueError, InvalidRequestError)
_WHOLE_EXPECTED = re.compile(r"Expected `int(?: \| null)?`, got `float` - at `\$\.(\w+)`")
_FLOAT = re.compile(rb"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_VALUE = re.compile(rb'"(?:[^"\\]++|\\.)*+"|\[')
_CHARSET = re.compile(r";\s*charset=\"?([a-z0-9._-]+)", re.IGNORECASE | re.ASCII)
JSON, CHUNKED, IDENTITY = b"application/json", b"chunked", b"identity"
FREE_BYTES = 16_384  # of each body, that are not counted: callers who hold large bodies never keep out small ones
RETURNED_BYTES = 65_536  # a body of more leaves pages that the allocator would keep

Decode = Callable[[bytes, Any], Any]


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyReader:
    """Reads request bodies within limits and a budget of all bodies; large ones are decoded on the executor."""

    settings: Settings
    max_values: int  # texts, tokens and lists of them
    budget: BodyBudget
    executor: Executor

    async def read_json(self, context: RequestContext, form: Any) -> Any:
        """Read a body that is declared as JSON. Raises what ``check_media_type``, ``receive`` and ``decode`` do."""
        headers = context.headers
        if headers.get(b"content-type", JSON) != JSON:
            check_media_type(headers)
        if b"content-encoding" not in headers and b"transfer-encoding" not in headers:  # as a rule
            body = await self.receive(context)
            if len(body) <= LARGE:
                return decode(body, form, self.max_values)
        else:
            is_gzip(headers)  # for its errors
            body = await self.receive(context)
        return await self.decode(context, body, form, partial(decode, max_values=self.max_values))

    async def decode(self, context: RequestContext, body: bytes, form: Any, decode_body: Decode) -> Any:
        """Decode a body that was received, a large one beside the event loop. Raises UnsupportedEncodingError,
        MalformedRequestError, InvalidRequestError, BodyTooLargeError or TooManyBodiesError."""
        size, max_bytes = len(body), self.settings.max_body_bytes
        if is_compressed := is_gzip(context.headers):
            content = content_size(body, max_bytes)
            self.budget.add(context, content)
            size = max(size, content)

        def decode_whole() -> Any:
            return decode_body(decompress(body, max_bytes) if is_compressed else body, form)

        if size <= LARGE:
            return decode_whole()
        return await asyncio.get_running_loop().run_in_executor(self.executor, decode_whole)

    async def receive(self, context: RequestContext) -> bytes:
        """Receive a whole body. Raises MalformedRequestError if it is empty, BodyTimeoutError if it does not arrive in
        time, BodyTooLargeError, CallerLeftError or TooManyBodiesError."""
        if int(context.headers.get(b"content-length", b"0")) > self.settings.max_body_bytes:
            raise _too_large()
        whole = None if context.connection is None else context.connection.take_body()
        if whole is None:
            whole = await self._receive_pieces(context)
        elif len(whole) > min(FREE_BYTES, self.settings.max_body_bytes):
            self._count(context, len(whole))
        else:
            context.request_bytes = len(whole)
        if not whole:
            raise MalformedRequestError("the body is empty")
        return whole

    async def _receive_pieces(self, context: RequestContext) -> bytes:
        """Receive a body by ASGI's messages, within the time for it."""
        seconds = self.settings.body_timeout_seconds
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(seconds):
                is_whole = False
                while not is_whole:
                    message: Any = await context.receive()
                    if message["type"] == "http.disconnect":
                        raise CallerLeftError("the connection closed before the body was complete")
                    chunk, is_whole = message.get("body", b""), not message.get("more_body")
                    self._count(context, len(chunk))
                    chunks.append(chunk)
        except TimeoutError as error:
            raise BodyTimeoutError(f"the body was not complete {seconds:g} s after its headers") from error
        return b"".join(chunks)

    def _count(self, context: RequestContext, num_bytes: int) -> None:
        """Count bytes of a body that have come. Raises BodyTooLargeError or TooManyBodiesError."""
        context.request_bytes += num_bytes
        if context.request_bytes > FREE_BYTES:
            self.budget.add(context, context.request_bytes - context.held_bytes)
        if context.request_bytes > self.settings.max_body_bytes:
            raise _too_large()


def max_values_of(settings: Settings) -> int:
    """Return the most texts, tokens and lists of a request in the limits; a token is two characters with a space."""
    return settings.max_request_length // 2 + 2 * settings.max_items + 16


def decode(body: bytes, form: Any, max_values: int) -> Any:
    """Decode a body into a type. Raises MalformedRequestError if it is not JSON in UTF-8, and InvalidRequestError if it
    is JSON of another form."""
    body = body.removeprefix(BYTE_ORDER_MARK)
    try:
        if len(body) > LARGE:
            _check_number(body, max_values)
        return decoder_of(form).decode(body)
    except _FAILURES as error:
        whole = _WHOLE_EXPECTED.fullmatch(str(error))
        if whole and (corrected := _with_integer(body, form, whole[1])) is not None:
            return decode(corrected, form, max_values)
        raise explain(body, error, form) from error


@cache
def _raw_fields(form: Any) -> msgspec.json.Decoder[Any]:
    """Return a decoder into a struct of the same fields, as strict as the type, that leaves values as written."""
    fields: list[Any] = [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in fields_of(form)]
    is_strict = form.__struct_config__.forbid_unknown_fields
    return msgspec.json.Decoder(msgspec.defstruct("RawFields", fields, forbid_unknown_fields=is_strict))


def _check_number(body: bytes, max_values: int) -> None:
    """Raise InvalidRequestError if a body holds more texts, tokens and lists than a request within the limits may:
    decoded, they would take many times its size."""
    if body.count(b",") + body.count(b"[") <= max_values:
        return
    # Counted one by one: a search of all in one call would keep the interpreter's lock, and so stop the event loop.
    if sum(1 for _ in islice(_VALUE.finditer(body), max_values + 1)) > max_values:
        raise InvalidRequestError(
            f"the body holds more than {max_values} texts, tokens and lists; no request within the limits has so many"
        )


def _with_integer(body: bytes, form: Any, name: str) -> bytes | None:
    """Return the body with this field's 4.0 written as 4: JSON Schema takes both for an integer, msgspec does not.
    Returns None if it is no whole number."""
    try:
        fields = _raw_fields(form).decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    written = bytes(getattr(fields, name))
    if not _FLOAT.fullmatch(written) or not float(written).is_integer():
        return None
    setattr(fields, name, msgspec.Raw(str(int(float(written))).encode()))
    return msgspec.json.encode(fields)


def is_gzip(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the body is compressed. Raises UnsupportedEncodingError if it is so in another way."""
    if headers.get(b"transfer-encoding", CHUNKED).lower() != CHUNKED:
        raise UnsupportedEncodingError("the transfer is compressed; compress the body, with Content-Encoding: gzip")
    coding = headers.get(b"content-encoding", IDENTITY)
    if coding == IDENTITY:
        return False
    coding = coding.lower()
    if coding not in (IDENTITY, b"gzip", b"x-gzip"):
        raise UnsupportedEncodingError("send the body as it is, or compressed with gzip, once")
    return coding != IDENTITY


def check_media_type(headers: Mapping[bytes, bytes]) -> None:
    """Raise UnsupportedMediaTypeError unless the body is declared as JSON; no declaration counts as JSON."""
    declared = headers.get(b"content-type", b"").decode("latin-1")
    media_type, _, options = declared.partition(";")
    media_type, charset = media_type.strip().lower(), _CHARSET.search(f";{options}")
    is_json = media_type == "application/json" or media_type.endswith("+json") or not declared
    if not is_json or (charset and charset[1].lower() not in ("utf-8", "utf8")):
        raise UnsupportedMediaTypeError("send application/json in UTF-8")


def _too_large() -> BodyTooLargeError:
    return BodyTooLargeError("the body has more bytes than the service reads")

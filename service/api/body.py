"""Decodes request bodies: fast when they are good, exact about what is wrong when they are not.

msgspec decodes straight into the endpoint's type. Only when it fails, or may have overlooked a repeated key, does the
standard library read the body again, slowly, to say what is wrong and where.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, ClassVar, NoReturn, Protocol

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException
from msgspec import inspect

from service.errors import (
    BodyTimeoutError,
    CallerLeftError,
    FieldError,
    InvalidRequestError,
    MalformedRequestError,
    UnsupportedMediaTypeError,
)

ARRIVAL = "arrival"  # in a scope's state: a weak reference to its body's Arrival
MAX_REPORTED = 20  # of many mistakes in one body
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # half of a pair too
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")  # nobody escapes those, but a key might be hidden so
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$\.?(.*)`)?", re.DOTALL)
_MISSING_FIELD = re.compile(r"Object missing required field `(.*?)`", re.DOTALL)
_WHOLE_EXPECTED = re.compile(r"Expected `int(?: \| null)?`, got `float`")
_AT_PATH = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)


class Arrival(Protocol):
    """State of a request's arrival, as our server reports it."""

    @property
    def more_body(self) -> bool:
        """Whether some of the body is still to come."""
        ...


def _unknown() -> Arrival | None:
    """Stands for the arrival under a server that reports none."""
    return None


class JsonRequest(Request[Any, Any, Any]):
    """Litestar's request, whose ``json`` is already of the type that the endpoint's ``data`` asks for."""

    body_timeout_seconds: ClassVar[float] = 30.0

    async def body(self) -> bytes:
        """Read the whole body. Raises MalformedRequestError if it is empty although the endpoint reads one, and
        BodyTimeoutError if it does not arrive in time."""
        try:
            body = await self._arrived()
        except TimeoutError as error:
            seconds = self.body_timeout_seconds
            raise BodyTimeoutError(f"the body was not complete {seconds:g} s after its headers") from error
        except InternalServerException as error:  # what Litestar raises when the caller hangs up while sending
            raise CallerLeftError("the connection closed before the body was complete") from error
        if not body and self.route_handler.parsed_data_field:
            raise MalformedRequestError("the body is empty")
        return body

    async def _arrived(self) -> bytes:
        """Wait for the body. A timer costs nearly as much as all other work on a body, and most bodies are here when
        they are asked for, so a complete one is read without."""
        arrival = self.scope["state"].get(ARRIVAL, _unknown)()
        if arrival is not None and not arrival.more_body:
            return await super().body()
        async with asyncio.timeout(self.body_timeout_seconds):
            return await super().body()

    async def json(self) -> Any:
        _check_media_type(self)
        field = self.route_handler.parsed_data_field
        return decode(await self.body(), field.annotation if field else Any)


def requests_within(body_timeout_seconds: float) -> type[JsonRequest]:
    """Make a request class that waits this long for a body."""
    return type("JsonRequest", (JsonRequest,), {"__slots__": (), "body_timeout_seconds": body_timeout_seconds})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Form:
    """A type that bodies are decoded into, with the names of its fields."""

    decoder: msgspec.json.Decoder[Any]
    fields: Mapping[str, Collection[str]]  # name -> the words it may hold; none if it is free

    @classmethod
    @cache
    def of(cls, type: Any) -> Form:  # noqa: A002
        info = inspect.type_info(type)
        fields = info.fields if isinstance(info, inspect.StructType) else ()
        return cls(
            decoder=msgspec.json.Decoder(type),
            fields={field.encode_name: _choices(field.type) for field in fields},
        )


def _choices(type: inspect.Type) -> Collection[str]:  # noqa: A002
    if isinstance(type, inspect.Metadata):
        return _choices(type.type)
    if isinstance(type, inspect.ListType):
        return _choices(type.item_type)
    return [str(value) for value in type.values] if isinstance(type, inspect.LiteralType) else ()


def decode(body: bytes, type: Any) -> Any:  # noqa: A002
    """Decode a body into a type. Raises MalformedRequestError if it is not JSON in UTF-8, and InvalidRequestError if it
    is JSON of another form."""
    form = Form.of(type)
    try:
        decoded = form.decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        if _WHOLE_EXPECTED.match(str(error)):
            return _decode_whole(body, type, form)
        _explain(body, error, form)
    # msgspec keeps the last of repeated keys. A quoted name seen twice may also be a value: look closer.
    if _ESCAPED_LETTER.search(body) or any(body.count(b'"%b"' % name.encode()) > 1 for name in form.fields):
        _parse(body)
    return decoded


def _decode_whole(body: bytes, type: Any, form: Form) -> Any:  # noqa: A002
    """Decode a body that writes integers as 4.0, which JSON Schema allows and msgspec does not."""
    try:
        return msgspec.convert(_parse(body), type)
    except msgspec.ValidationError as error:
        _explain(body, error, form)


def _check_media_type(request: JsonRequest) -> None:
    """Raise UnsupportedMediaTypeError unless the body is declared as JSON; no declaration counts as JSON."""
    headers = request.headers
    if headers.get("content-encoding", "identity").lower() != "identity" or (
        headers.get("transfer-encoding", "chunked").lower() != "chunked"
    ):
        raise UnsupportedMediaTypeError("the body is compressed; send it as it is")
    media_type, options = request.content_type
    charset = options.get("charset", "utf-8").lower()
    is_json = media_type == "application/json" or media_type.endswith("+json") or not headers.get("content-type")
    if not is_json or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaTypeError("send application/json in UTF-8")


def _explain(body: bytes, error: Exception, form: Form) -> NoReturn:
    document = _parse(body)
    if _ESCAPED_SURROGATE.search(body) and (surrogates := list(islice(_surrogates(document), MAX_REPORTED))):
        raise InvalidRequestError(f"{surrogates[0].path} {surrogates[0].message}", errors=surrogates) from error
    if not isinstance(error, msgspec.ValidationError):
        raise MalformedRequestError(f"the body is not JSON: {error}") from error
    problem = _field_error(str(error), form)
    where = f"{problem.path}: " if problem.path else ""
    raise InvalidRequestError(where + problem.message, errors=[problem]) from error


def _field_error(message: str, form: Form) -> FieldError:
    """Translate a message of msgspec's, such as ``Expected `str`, got `int` - at `$.text[1]``, to a field error."""
    if unknown := _UNKNOWN_FIELD.fullmatch(message):
        path = ".".join(filter(None, [unknown[2], unknown[1]]))
        return FieldError(path=path, message=f"unknown field; known are {', '.join(form.fields)}")
    if missing := _MISSING_FIELD.fullmatch(message):
        return FieldError(path=missing[1], message="is required")
    if located := _AT_PATH.fullmatch(message):
        choices = form.fields.get(located[2].partition("[")[0]) if located[1].startswith("Invalid enum") else None
        known = f"; known are {', '.join(choices)}" if choices else ""
        return FieldError(path=located[2], message=located[1] + known)
    return FieldError(path="", message=message)


def _parse(body: bytes) -> Any:
    """Parse the body strictly into plain values. Raises MalformedRequestError."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_object, parse_float=_number, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"the body is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequestError(f"the body is not JSON: {error.msg} at {place}") from error
    except RecursionError as error:
        raise MalformedRequestError("the body is nested too deeply") from error
    except ValueError as error:  # the standard library's guard: an integer of thousands of digits
        raise MalformedRequestError("the body holds a number that is too long") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise MalformedRequestError(f"the key {key!r} is repeated")
        values[key] = value
    return values


def _number(digits: str) -> float:
    value = float(digits)
    return int(value) if value.is_integer() else value


def _constant(name: str) -> NoReturn:
    raise MalformedRequestError(f"{name} is not JSON")


def _surrogates(document: Any) -> Iterator[FieldError]:
    """Yield an error for each string or key that holds a lone surrogate. It is a loop, for any depth of nesting, and
    lazy, for any length."""
    nested = [iter([("", document)])]
    while nested:
        path, value = next(nested[-1], ("", None))
        if value is None:
            nested.pop()
        elif isinstance(value, list | dict):
            nested.append(_members(path, value))
        elif isinstance(value, str) and _SURROGATE.search(value):
            yield FieldError(path=path, message="holds a lone surrogate, which no text can")


def _members(path: str, value: list[Any] | dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the members of a list or object with their paths, keys before values; nulls are left out."""
    if isinstance(value, list):
        yield from ((f"{path}[{i}]", item) for i, item in enumerate(value) if item is not None)
        return
    for key, item in value.items():
        where = f"{path}.{key}" if path else key
        yield where, key
        if item is not None:
            yield where, item

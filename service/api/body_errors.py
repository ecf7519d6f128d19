"""Explanations of request bodies that cannot be decoded: what is wrong, and in which field.

A body is never parsed into objects for it, which could take many times its size: msgspec checks its syntax without
keeping anything, and decodes it into its type alone.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from service.errors import MAX_REPORTED, FieldError, InvalidRequestError, MalformedRequestError, RequestError

MAX_MESSAGE = 1000  # characters, read of msgspec's message, half at each end: it quotes what was sent
_AT_ONCE = 10_000  # escapes passed in one search, which keeps the interpreter's lock, and so stops the event loop
_CHUNK = 65_536  # bytes
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")  # half of a pair too
_PAIR = rb"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_NO_SURROGATE = re.compile(rb"(?:[^\\]++|\\(?:" + _PAIR + rb"|u(?![dD][89a-fA-F])|[^u])){0,%d}+" % _AT_ONCE, re.DOTALL)
_MARK = "\ufdd0"  # a noncharacter: stands for lone surrogates, which msgspec takes for bad syntax
_ESCAPED_MARK = rb"\ufdd0"
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$\.?(.*)`)?", re.DOTALL)
_MISSING_FIELD = re.compile(r"Object missing required field `(.*?)`", re.DOTALL)
_AT_PATH = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)


@cache
def decoder_of(form: Any) -> msgspec.json.Decoder[Any]:
    """Return the decoder of a type."""
    return msgspec.json.Decoder(form)


@cache
def fields_of(form: Any) -> Mapping[str, Collection[str]]:
    """Return the names of a struct's fields, each with the words that it may hold; none if it is free."""
    info = inspect.type_info(form)
    fields = info.fields if isinstance(info, inspect.StructType) else ()
    return {each.encode_name: _choices(each.type) for each in fields}


def _choices(form: inspect.Type) -> Collection[str]:
    if isinstance(form, inspect.Metadata):
        return _choices(form.type)
    if isinstance(form, inspect.ListType):
        return _choices(form.item_type)
    if isinstance(form, inspect.UnionType):
        return [choice for each in form.types for choice in _choices(each)]
    return [str(value) for value in form.values] if isinstance(form, inspect.LiteralType) else ()


def explain(body: bytes, error: Exception, form: Any) -> RequestError:
    """Return the error that says what is wrong with a body; ``error`` is what decoding it into a type raised."""
    if (place := _first_byte_not_utf8(body)) is not None:
        return MalformedRequestError(f"the body is not UTF-8 at byte {place}")
    marked = _with_marks(body)
    try:
        msgspec.json.decode(marked, type=msgspec.Raw)
    except RecursionError:
        return MalformedRequestError("the body is nested too deeply")
    except msgspec.DecodeError as syntax:
        return MalformedRequestError(f"the body is not JSON: {syntax}")
    if isinstance(error, InvalidRequestError):
        return error
    if marked is not body:
        try:
            paths = _marked_paths(msgspec.structs.asdict(decoder_of(form).decode(marked)))
        except msgspec.ValidationError as wrong:
            error = wrong
        else:
            if found := [FieldError(each, "holds a lone surrogate, which no text can") for each in paths]:
                return InvalidRequestError(f"{found[0].path} {found[0].message}", errors=found[:MAX_REPORTED])
    if not isinstance(error, msgspec.ValidationError):
        return MalformedRequestError(f"the body is not JSON: {error}")
    problem = _field_error(_shortened(str(error)).replace(_MARK, "\ud800"), fields_of(form))
    where = f"{problem.path}: " if problem.path else ""
    return InvalidRequestError(where + problem.message, errors=[problem])


def _field_error(message: str, fields: Mapping[str, Collection[str]]) -> FieldError:
    """Translate a message of msgspec's, such as ``Expected `str`, got `int` - at `$.text[1]``, to a field error."""
    if unknown := _UNKNOWN_FIELD.fullmatch(message):
        path = ".".join(filter(None, [unknown[2], unknown[1]]))
        return FieldError(path=path, message=f"unknown field; known are {', '.join(fields)}")
    if missing := _MISSING_FIELD.fullmatch(message):
        return FieldError(path=missing[1], message="is required")
    if located := _AT_PATH.fullmatch(message):
        choices = fields.get(located[2].partition("[")[0]) if located[1].startswith("Invalid enum") else None
        known = f"; known are {', '.join(choices)}" if choices else ""
        return FieldError(path=located[2], message=located[1] + known)
    return FieldError(path="", message=message)


def _first_byte_not_utf8(body: bytes) -> int | None:
    decoder = getincrementaldecoder("utf-8")()
    for begin in range(0, len(body), _CHUNK):
        chunk = body[begin : begin + _CHUNK]
        try:
            decoder.decode(chunk, final=begin + _CHUNK >= len(body))
        except UnicodeDecodeError as error:
            return begin + len(chunk) - len(error.object) + error.start  # the object begins with bytes held over
    return None


def _with_marks(body: bytes) -> bytes:
    """Return the body with the mark in place of each lone surrogate; the body itself if it has none."""
    if not _SURROGATE.search(body):
        return body
    marked = bytearray(body)
    for place in _places_of_surrogates(body):
        marked[place : place + len(_ESCAPED_MARK)] = _ESCAPED_MARK
    return bytes(marked)


def _places_of_surrogates(body: bytes) -> Iterator[int]:
    """Yield where lone surrogates stand."""
    begin, end = -1, 0
    while begin < end:
        begin, found = end, _NO_SURROGATE.match(body, end)
        end = found.end() if found else end
        if _SURROGATE.match(body, end):
            yield end
            end += len(_ESCAPED_MARK)


def _shortened(message: str) -> str:
    half = MAX_MESSAGE // 2
    return message if len(message) <= MAX_MESSAGE else f"{message[:half]}…{message[-half:]}"


def _marked_paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of the texts that hold the mark, as ``text[3]``."""
    if isinstance(value, str):
        if _MARK in value:
            yield path
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _marked_paths(each, f"{path}[{place}]")
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _marked_paths(each, name)

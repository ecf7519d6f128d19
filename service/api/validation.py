"""Validation of requests: what is wrong with a body that cannot be decoded, and in which field; items that are within
the limits and hold only characters that a text may hold.

A body is never parsed into objects for an explanation, which could take many times its size: msgspec checks its syntax
without keeping anything, and decodes it into its type alone.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import msgspec
from msgspec import inspect

from service.errors import (
    MAX_REPORTED,
    FieldError,
    InputTooLongError,
    InvalidRequestError,
    MalformedRequestError,
    RequestError,
)
from service.settings import Settings

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


NUL = "\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputItem:
    """A text, or a sentence of tokens, and its path in the request: ``text[3]``."""

    path: str
    length: int  # characters, those of the spaces between tokens included
    text: str = ""
    tokens: Sequence[str] | None = None


def read_texts(text: str | list[str], limits: Settings, *, path: str = "text") -> list[InputItem]:
    """Return the items of the field ``path``. Raises InvalidRequestError or InputTooLongError, naming each wrong."""
    if isinstance(text, str):
        items = [InputItem(path=path, text=text, length=len(text))]
        if len(text) <= min(limits.max_text_length, limits.max_request_length) and NUL not in text:
            return items
    else:
        check_count(len(text), path, limits)
        items = [InputItem(path=f"{path}[{i}]", text=each, length=len(each)) for i, each in enumerate(text)]
    check_lengths(items, limits)
    problems = [
        FieldError(path=item.path, message=f"holds a NUL at position {item.text.index(NUL)}")
        for item in items
        if NUL in item.text
    ]
    if problems:
        raise InvalidRequestError.of(problems)
    return items


def read_tokens(*, text: str | list[str] | None, tokens: list[list[str]] | None, limits: Settings) -> list[InputItem]:
    """Return the items of a request with tokens and no text. Raises what ``read_texts`` does."""
    if text is not None or tokens is None:
        raise InvalidRequestError.at("text", "send either text or tokens")
    check_count(len(tokens), "tokens", limits)
    items = [
        InputItem(path=f"tokens[{i}]", tokens=words, length=sum(map(len, words)) + max(0, len(words) - 1))
        for i, words in enumerate(tokens)
    ]
    check_lengths(items, limits)
    problems = (
        FieldError(path=f"{item.path}[{place}]", message=_token_problem(token))
        for item, words in zip(items, tokens, strict=True)
        if not _are_tokens(words)
        for place, token in enumerate(words)
        if not _are_tokens([token])
    )
    if found := list(islice(problems, MAX_REPORTED)):
        raise InvalidRequestError.of(found)
    return items


def check_at_most(value: int | None, most: int, path: str, limit: str) -> None:
    """Raise InvalidRequestError if a field's value is above a limit."""
    if value is not None and value > most:
        raise InvalidRequestError.at(path, f"is {value}, more than {limit} of {most}")


def check_count(count: int, path: str, limits: Settings) -> None:
    """Raise InvalidRequestError if a request has no item or too many."""
    if not 1 <= count <= limits.max_items:
        raise InvalidRequestError.at(path, f"must hold 1 to {limits.max_items} items, got {count}")


def check_lengths(items: Sequence[InputItem], limits: Settings, *, total: int | None = None) -> None:
    """Raise InputTooLongError if an item is too long, or all of them: ``total`` characters, if not their sum."""
    too_long = [
        FieldError(path=item.path, message=f"has {item.length} characters, the limit is {limits.max_text_length}")
        for item in items
        if item.length > limits.max_text_length
    ]
    if too_long:
        raise InputTooLongError.of(too_long)
    if total is None:
        total = sum([item.length for item in items])
    if total > limits.max_request_length:
        message = f"has {total} characters in all, the limit is {limits.max_request_length}"
        raise InputTooLongError.at(items[0].path.partition("[")[0], message)


def _are_tokens(words: list[str]) -> bool:
    """Whether no word is empty or has white space or a NUL in it. Joined, thousands take the time of one."""
    joined = " ".join(words)
    return NUL not in joined and joined.split() == words


def _token_problem(token: str) -> str:
    if not token:
        return "is empty"
    return f"holds a NUL at position {token.index(NUL)}" if NUL in token else "holds white space"

"""Explanations of request bodies that cannot be decoded: what is wrong, and in which field.

A body is never parsed into objects for it, which could take many times its size: msgspec checks its syntax without
keeping anything, and one pass over its brackets and strings, which remembers only what is open, finds the paths of at
most MAX_REPORTED strings.
"""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from service.errors import MAX_REPORTED, FieldError, InvalidRequestError, MalformedRequestError, RequestError

STRING = rb'"(?:[^"\\]++|\\.)*+"'
MAX_TOKENS = 100_000  # looked at to find a path
MAX_DEPTH = 1000  # of a path that is looked for
MAX_KEY_LENGTH = 100  # shown of a key
MAX_LEVELS = 16  # shown of a path, half at each end
MAX_MESSAGE = 1000  # characters, read of msgspec's message, half at each end: it quotes what was sent
_AT_ONCE = 10_000  # escapes passed in one search, which keeps the interpreter's lock, and so stops the event loop
_CHUNK = 65_536  # bytes
_QUOTE, _BRACKET, _COMMA = b'"[,'
_TOKEN = re.compile(STRING + rb"|[\[\]{},]", re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")  # half of a pair too
_PAIR = rb"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_NO_SURROGATE = re.compile(rb"(?:[^\\]++|\\(?:" + _PAIR + rb"|u(?![dD][89a-fA-F])|[^u])){0,%d}+" % _AT_ONCE, re.DOTALL)
_SPACE = rb"\u0020"
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$\.?(.*)`)?", re.DOTALL)
_MISSING_FIELD = re.compile(r"Object missing required field `(.*?)`", re.DOTALL)
_AT_PATH = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)


def explain(body: bytes, error: Exception, fields: Mapping[str, Collection[str]]) -> RequestError:
    """Return the error that says what is wrong with a body; ``error`` is what decoding it raised, and ``fields`` are
    those that it may have, each with the words that it may hold, if it is not free."""
    if (place := _first_byte_not_utf8(body)) is not None:
        return MalformedRequestError(f"the body is not UTF-8 at byte {place}")
    places, without_surrogates = _lone_surrogates(body)
    try:
        if len(places) < MAX_REPORTED:
            msgspec.json.decode(without_surrogates, type=msgspec.Raw)
    except RecursionError:
        return MalformedRequestError("the body is nested too deeply")
    except msgspec.DecodeError as syntax:
        return MalformedRequestError(f"the body is not JSON: {syntax}")
    if places:
        errors = [FieldError(path, "holds a lone surrogate, which no text can") for path in _paths(body, places)]
        return InvalidRequestError(f"{errors[0].path or 'the body'} {errors[0].message}", errors=errors)
    if isinstance(error, InvalidRequestError):
        return error
    if not isinstance(error, msgspec.ValidationError):
        return MalformedRequestError(f"the body is not JSON: {error}")
    problem = _field_error(_shortened(str(error)), fields)
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


def _lone_surrogates(body: bytes) -> tuple[list[int], bytes | bytearray]:
    """Return where the first lone surrogates stand, and the body with a space in place of each, for a check of its
    syntax: msgspec takes lone surrogates for bad syntax."""
    if not _SURROGATE.search(body):
        return [], body
    places = list(islice(_places_of_surrogates(body), MAX_REPORTED))
    corrected = bytearray(body)
    for place in places:
        corrected[place : place + len(_SPACE)] = _SPACE
    return places, corrected


def _places_of_surrogates(body: bytes) -> Iterator[int]:
    """Yield where lone surrogates stand."""
    begin, end = -1, 0
    while begin < end:
        begin, found = end, _NO_SURROGATE.match(body, end)
        end = found.end() if found else end
        if _SURROGATE.match(body, end):
            yield end
            end += len(_SPACE)


def _shortened(message: str) -> str:
    half = MAX_MESSAGE // 2
    return message if len(message) <= MAX_MESSAGE else f"{message[:half]}…{message[-half:]}"


@dataclass(slots=True)
class _Level:
    """A list or object that is open, and the member that is being read."""

    is_list: bool
    index: int = 0
    key: tuple[int, int] | None = None  # begin and end in the body; None before an object's key


def _paths(body: bytes, places: Sequence[int]) -> Iterator[str]:
    """Yield the paths of the strings that hold these places, each string once; an empty path for the rest if they are
    too far from the beginning of the body, or too deep."""
    levels: list[_Level] = []
    remaining = list(reversed(places))
    for token in islice(_TOKEN.finditer(body), MAX_TOKENS):
        begin, end = token.span()
        _follow(levels, body[begin], (begin, end))
        if body[begin] == _QUOTE and begin < remaining[-1] < end:
            yield _path(body, levels)
            while remaining and remaining[-1] < end:
                remaining.pop()
        if not remaining or len(levels) > MAX_DEPTH:
            break
    if remaining:
        yield ""


def _follow(levels: list[_Level], byte: int, span: tuple[int, int]) -> None:
    """Keep ``levels`` at what is open after the token that begins with this byte."""
    if byte in b"[{":
        levels.append(_Level(byte == _BRACKET))
    elif byte in b"]}":
        del levels[-1:]
    elif levels and byte == _COMMA:
        levels[-1].index += 1
        levels[-1].key = None
    elif levels and not levels[-1].is_list and levels[-1].key is None:
        levels[-1].key = span


def _path(body: bytes, levels: Sequence[_Level]) -> str:
    """Return the path of what is being read, as ``text[3]`` or ``x.y``, shortened in the middle."""
    half = MAX_LEVELS // 2
    shown = levels if len(levels) <= MAX_LEVELS else [*levels[:half], *levels[-half:]]
    parts = [f"[{level.index}]" if level.key is None else f".{_key(body, *level.key)}" for level in shown]
    if len(levels) > MAX_LEVELS:
        parts.insert(half, "…")
    return "".join(parts).removeprefix(".")


def _key(body: bytes, begin: int, end: int) -> str:
    """Return a key as it is shown; undecoded if it is long, or wrong, as it can be where the syntax was not checked."""
    if end - begin <= MAX_KEY_LENGTH:
        try:
            return str(json.loads(body[begin:end]))
        except json.JSONDecodeError:
            return body[begin + 1 : end - 1].decode("utf-8", "replace")
    return body[begin + 1 : begin + MAX_KEY_LENGTH].decode("utf-8", "replace") + "…"

"""Calls that stand in documents: how they are found, made and compared with the answers beside them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

ADDRESS = "http://127.0.0.1:8000"  # of the service in every document
REST = "..."  # stands for further items or fields
TOLERANCE = 0.02
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.|[\[\]{}]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A call with curl in a document, and the JSON that stands right after it, if any does."""

    path: Path
    command: str
    answer: Any = None


def examples_of(path: Path) -> Iterator[Example]:
    """Yield the calls of a document to the service."""
    blocks = [*_FENCE.findall(path.read_text("utf-8")), ("", "")]
    for (language, code), (following, content) in pairwise(blocks):
        if language == "sh" and code.startswith("curl") and ADDRESS in code:
            answer = json.loads(with_rest(content)) if following == "json" else None
            yield Example(path=path, command=code.strip(), answer=answer)


def programs_of(path: Path) -> Iterator[str]:
    """Yield the Python programs of a document that ask the service."""
    for language, code in _FENCE.findall(path.read_text("utf-8")):
        if language == "python" and ADDRESS in code:
            yield code


def make_call(command: str, url: str) -> httpx.Response:
    """Make the request that a command of curl makes."""
    words = shlex.split(command.replace(ADDRESS, url))
    assert words[0] == "curl"
    headers, data, address = {}, [], ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(":")
            headers[name] = value.strip()
        elif word == "-d":
            data.append(next(rest))
        elif not word.startswith("-"):
            address = word
    headers.setdefault("content-type", "application/x-www-form-urlencoded")
    return httpx.post(address, content="&".join(data).encode(), headers=headers, timeout=60, trust_env=False)


def with_rest(text: str) -> str:
    """Return JSON in which ``...`` was written for what is left out: an item ``"..."``, or a field of that name."""
    opened: list[str] = []

    def written(token: re.Match[str]) -> str:
        found = token[0]
        if found in "[{":
            opened.append(found)
        elif found in "]}":
            opened.pop()
        elif found == REST:
            return '"..."' if opened[-1] == "[" else '"...": 0'
        return found

    return _TOKEN.sub(written, text)


def difference(told: Any, found: Any, place: str = "$", *, values: bool = True) -> str:
    """Say how an answer differs from what a document tells; empty if it does not. Numbers may differ a little; without
    ``values`` only the fields and the types are compared."""
    if isinstance(told, dict) and isinstance(found, dict):
        names = told.keys() - {REST}
        if names != found.keys() and (REST not in told or not names <= found.keys()):
            return f"{place} has {sorted(found)}, the document says {sorted(names)}"
        parts = (difference(told[name], found[name], f"{place}.{name}", values=values) for name in names)
        return next(filter(None, parts), "")
    if isinstance(told, list) and isinstance(found, list):
        return _difference_of_lists(told, found, place, values=values)
    if isinstance(told, bool) or isinstance(found, bool) or not isinstance(told, int | float):
        same = type(told) is type(found) and (told == found or not values)
    else:
        same = isinstance(found, int | float) and (not values or abs(told - found) <= TOLERANCE * max(1, abs(told)))
    return "" if same else f"{place} is {found!r}, the document says {told!r}"


def _difference_of_lists(told: list[Any], found: list[Any], place: str, *, values: bool) -> str:
    before = told.index(REST) if REST in told else len(told)
    after = told[before + 1 :]
    if len(found) < before + len(after) or (REST not in told and len(found) != len(told)):
        return f"{place} has {len(found)} items, the document says {len(told)}"
    pairs = [*zip(told[:before], found, strict=False), *zip(after, found[len(found) - len(after) :], strict=True)]
    parts = (difference(*pair, f"{place}[{number}]", values=values) for number, pair in enumerate(pairs))
    return next(filter(None, parts), "")

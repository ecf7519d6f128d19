"""Validation of well-formed requests: items that are within the limits and hold only characters that a text may
hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from service.errors import MAX_REPORTED, FieldError, InputTooLongError, InvalidRequestError
from service.models.cards import Limits

NUL = "\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputItem:
    """A text, or a sentence of tokens, and its path in the request: ``text[3]``."""

    path: str
    length: int  # characters, those of the spaces between tokens included
    text: str = ""
    tokens: Sequence[str] | None = None


def read_texts(text: str | list[str], limits: Limits, *, path: str = "text") -> list[InputItem]:
    """Return the items of a text or a list of texts, the field ``path``. Raises InvalidRequestError or
    InputTooLongError, naming each item that is wrong."""
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


def read_tokens(*, text: str | list[str] | None, tokens: list[list[str]] | None, limits: Limits) -> list[InputItem]:
    """Return the items of a request that has tokens and no text. Raises InvalidRequestError or InputTooLongError,
    naming each item that is wrong."""
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


def check_count(count: int, path: str, limits: Limits) -> None:
    """Raise InvalidRequestError if a request has no item or too many."""
    if not 1 <= count <= limits.max_items:
        raise InvalidRequestError.at(path, f"must hold 1 to {limits.max_items} items, got {count}")


def check_lengths(items: Sequence[InputItem], limits: Limits, *, total: int | None = None) -> None:
    """Raise InputTooLongError if an item is over its limit, or all of them are: ``total`` characters if that is not
    their sum."""
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
    """Whether each is a token: neither empty nor with white space or a NUL in it. Joined, thousands are looked at in
    the time of one."""
    joined = " ".join(words)
    return NUL not in joined and joined.split() == words


def _token_problem(token: str) -> str:
    if not token:
        return "is empty"
    return f"holds a NUL at position {token.index(NUL)}" if NUL in token else "holds white space"

"""Validation of well-formed requests: items that are within the limits and hold only characters that a text may
hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from service.errors import FieldError, InputTooLongError, InvalidRequestError
from service.models.cards import Limits

MAX_REPORTED = 20  # of many mistakes in one request


@dataclass(frozen=True, slots=True, kw_only=True)
class InputItem:
    """A text, or a sentence of tokens, and its path in the request: ``text[3]``."""

    path: str
    text: str = ""
    tokens: Sequence[str] | None = None

    @property
    def length(self) -> int:
        if self.tokens is None:
            return len(self.text)
        return sum(map(len, self.tokens)) + max(0, len(self.tokens) - 1)


def read_texts(text: str | list[str], limits: Limits, *, path: str = "text") -> list[InputItem]:
    """Return the items of the texts in a field. Raises InvalidRequestError or InputTooLongError, naming each item that
    is wrong."""
    return checked(text_items(text, limits, path=path), limits)


def read_text_or_tokens(
    *, text: str | list[str] | None, tokens: list[list[str]] | None, limits: Limits
) -> list[InputItem]:
    """Return the items of a request that has either text or tokens. Raises InvalidRequestError or InputTooLongError,
    naming each item that is wrong."""
    if (text is None) == (tokens is None):
        raise InvalidRequestError(
            "send one of text and tokens",
            errors=[FieldError(path="text", message="send either text or tokens")],
        )
    return read_texts(text, limits) if text is not None else checked(token_items(tokens or [], limits), limits)


def checked(items: list[InputItem], limits: Limits) -> list[InputItem]:
    """Return the same items if all are within the limits and hold no character that is not allowed. Raises
    InvalidRequestError."""
    check_lengths(items, limits)
    if problems := list(islice((problem for item in items for problem in _problems(item)), MAX_REPORTED)):
        raise InvalidRequestError(f"{problems[0].path} {problems[0].message}", errors=problems)
    return items


def text_items(text: str | list[str], limits: Limits, *, path: str) -> list[InputItem]:
    """Return the items of a text or a list of texts."""
    if isinstance(text, str):
        return [InputItem(path=path, text=text)]
    check_count(len(text), path, limits)
    return [InputItem(path=f"{path}[{i}]", text=each) for i, each in enumerate(text)]


def token_items(tokens: list[list[str]], limits: Limits) -> list[InputItem]:
    check_count(len(tokens), "tokens", limits)
    return [InputItem(path=f"tokens[{i}]", tokens=words) for i, words in enumerate(tokens)]


def check_at_most(value: int | None, most: int, path: str, limit: str) -> None:
    """Raise InvalidRequestError if a field's value is above a limit."""
    if value is not None and value > most:
        message = f"is {value}, more than {limit} of {most}"
        raise InvalidRequestError(f"{path} {message}", errors=[FieldError(path=path, message=message)])


def check_count(count: int, path: str, limits: Limits) -> None:
    if not 1 <= count <= limits.max_items:
        message = f"must hold 1 to {limits.max_items} items, got {count}"
        raise InvalidRequestError(f"{path} {message}", errors=[FieldError(path=path, message=message)])


def check_lengths(items: Sequence[InputItem], limits: Limits) -> None:
    lengths = [item.length for item in items]
    too_long = [
        FieldError(path=item.path, message=f"has {length} characters, the limit is {limits.max_text_length}")
        for item, length in zip(items, lengths, strict=True)
        if length > limits.max_text_length
    ]
    if too_long:
        raise InputTooLongError(f"{too_long[0].path} {too_long[0].message}", errors=too_long[:MAX_REPORTED])
    if sum(lengths) > limits.max_request_length:
        message = f"has {sum(lengths)} characters in all, the limit is {limits.max_request_length}"
        path = items[0].path.partition("[")[0]
        raise InputTooLongError(f"the request {message}", errors=[FieldError(path=path, message=message)])


def _problems(item: InputItem) -> Iterator[FieldError]:
    if item.tokens is None:
        if "\0" in item.text:
            at = item.text.index("\0")
            yield FieldError(path=item.path, message=f"holds a NUL at position {at}")
        return
    for place, token in enumerate(item.tokens):
        if "\0" in token or token.split() != [token]:
            yield FieldError(path=f"{item.path}[{place}]", message=_token_problem(token))


def _token_problem(token: str) -> str:
    if not token:
        return "is empty"
    return f"holds a NUL at position {token.index(chr(0))}" if "\0" in token else "holds white space"

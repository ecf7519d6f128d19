"""The tree of failures: what its docstring draws is what the classes say."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from service import errors
from service.errors import FieldError, OverloadedError, ServiceError


def family(root: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield root
    for child in root.__subclasses__():
        yield from family(child)


def test_the_docstring_draws_every_class_with_its_status_and_kind() -> None:
    drawn = re.findall(r"(\w+Error) +(\d{3}) (\w+)", errors.__doc__ or "")
    grouping = {"RequestError", "CapacityError"}
    actual = {(e.__name__, str(e.status), e.kind) for e in family(ServiceError) if e.__name__ not in grouping}
    assert set(drawn) == actual


def test_a_kind_names_one_condition() -> None:
    kinds = [error.kind for error in family(ServiceError) if "kind" in vars(error)]
    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("error", list(family(ServiceError)))
def test_every_class_has_a_status_of_its_side(error: type[ServiceError]) -> None:
    assert 400 <= error.status <= 599
    assert re.fullmatch("[a-z_]+", error.kind)


def test_an_error_keeps_what_it_was_given() -> None:
    problem = FieldError(path="text[3]", message="is too long")
    error = OverloadedError("too much", errors=[problem], retry_after_seconds=2)
    assert (error.detail, error.errors, error.retry_after_seconds) == ("too much", (problem,), 2)

"""Language tags of every usual spelling find the code that a model uses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.predictors.translation import match_language

KNOWN = ["en", "es", "de", "pt", "pt-BR", "zh-Hant"]


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("es", "es"),
        ("ES", "es"),
        ("es-MX", "es"),
        ("es_mx", "es"),
        (" es-419 ", "es"),
        ("de-DE-1996", "de"),
        ("de-x-mine", "de"),
        ("pt-br", "pt-BR"),
        ("PT_BR", "pt-BR"),
        ("pt-PT", "pt"),
        ("zh-hant-TW", "zh-Hant"),
        ("zh", None),
        ("zh-TW", None),
        ("Spanish", None),
        ("esp", None),
        ("", None),
        ("-es", None),
        ("x-es", None),
        ("es" + "-a" * 1_000_000, "es"),
    ],
)
def test_a_tag_finds_its_code(tag: str, expected: str | None) -> None:
    assert match_language(tag, KNOWN) == expected


@given(st.sampled_from(KNOWN), st.lists(st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True), max_size=3))
def test_more_subtags_than_needed_find_a_code_at_least_as_long(code: str, subtags: list[str]) -> None:
    found = match_language("_".join([code, *subtags]), KNOWN)
    assert found is not None
    assert found.lower().startswith(code.lower())


@given(st.text())
def test_any_text_is_known_or_not(tag: str) -> None:
    assert match_language(tag, KNOWN) in {*KNOWN, None}

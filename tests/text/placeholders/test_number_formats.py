"""Numbers as other languages write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.placeholders.items import key, localize, scan


@pytest.mark.parametrize(
    ("text", "spanish", "german", "french"),
    [
        ("1,234.56", "1.234,56", "1.234,56", "1\u202f234,56"),
        ("-1,234", "-1.234", "-1.234", "-1\u202f234"),
        ("3.5", "3,5", "3,5", "3,5"),
        ("2024", "2024", "2024", "2024"),
        ("50%", "50%", "50\u00a0%", "50\u00a0%"),
        ("$1,000.50", "$1.000,50", "$1.000,50", "$1\u202f000,50"),
        ("2.5 km", "2,5 km", "2,5 km", "2,5 km"),
        ("12:30", "12:30", "12:30", "12:30"),
        ("12/03/2024", "12/03/2024", "12/03/2024", "12/03/2024"),
        ("1.2.3", "1.2.3", "1.2.3", "1.2.3"),
        ("+44 20 7946 0958", "+44 20 7946 0958", "+44 20 7946 0958", "+44 20 7946 0958"),
        ("007", "007", "007", "007"),
        ("v2.5", "v2.5", "v2.5", "v2.5"),
    ],
)
def test_plain_numbers_are_written_anew(text: str, spanish: str, german: str, french: str) -> None:
    [item] = scan(text)
    assert [localize(item, language) for language in ("es", "de", "fr", "xx")] == [spanish, german, french, text]


NUMBERS = st.from_regex(r"[-+$]?[0-9]{1,3}([,. :/-][0-9]{1,3}){0,3}[%€ km]{0,2}", fullmatch=True)


@given(NUMBERS, st.sampled_from(["de", "fr"]))
def test_any_number_keeps_its_key(text: str, language: str) -> None:
    for item in scan(text):
        [found] = scan(localize(item, language))
        assert key(found) == key(item)

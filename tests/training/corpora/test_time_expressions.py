from __future__ import annotations

import pytest

from service.text.spans import Span
from service.text.tokenizer import words_of
from training.corpora.time_expressions import label_of, time_spans, widen


def found(text):
    words = words_of(text)
    return [f"{' '.join(words[span.start : span.end])} {span.label}" for span in time_spans(words)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See you next Tuesday.", ["next Tuesday DATE"]),
        ("two weeks ago", ["two weeks ago DATE"]),
        ("The last three years were good.", ["The last three years DATE"]),
        ("in late March 2021", ["late March 2021 DATE"]),
        ("March 5, 2021 and the 1st of June", ["March 5 , 2021 DATE", "the 1st of June DATE"]),
        ("in the first quarter of 2024", ["the first quarter of 2024 DATE"]),
        ("Q3 2024, FY2024 and fiscal year 2023", ["Q3 2024 DATE", "FY2024 DATE", "fiscal year 2023 DATE"]),
        ("by the end of the year", ["the end of the year DATE"]),
        ("In the 1990s and in 2012", ["the 1990s DATE", "2012 DATE"]),
        ("within five business days", ["five business days DATE"]),
        ("the day after tomorrow", ["the day after tomorrow DATE"]),
        ("2024-05-12 or 12/05/2024", ["2024 - 05 - 12 DATE", "12/05/2024 DATE"]),
        ("earlier this month, every Monday", ["earlier this month DATE", "every Monday DATE"]),
        ("May I go in May?", ["May DATE"]),
    ],
)
def test_days_and_what_is_longer_are_dates(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at 5 p.m. tomorrow", ["5 p.m. tomorrow TIME"]),
        ("Monday at noon", ["Monday DATE", "noon TIME"]),
        ("from 9 am to 17:30 GMT", ["9 am TIME", "17:30 GMT TIME"]),
        ("this morning and last night", ["this morning TIME", "last night TIME"]),
        ("early Saturday morning", ["early Saturday morning TIME"]),
        ("a 30-minute call", ["30 - minute TIME"]),
        ("half an hour, an hour and a half", ["half an hour TIME", "an hour and a half TIME"]),
        ("in the past 24 hours", ["the past 24 hours TIME"]),
        ("tonight at 7 o'clock", ["tonight TIME", "7 o'clock TIME"]),
        ("9 in the morning", ["9 in the morning TIME"]),
    ],
)
def test_clock_times_parts_of_a_day_and_what_is_shorter_are_times(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Room 204 has 1024 bytes.",
        "a 24-year-old man",
        "It ended 3-2.",
        "version 2.3.1",
        "three-quarters of them",
        "The PIN is 4821.",
        "1984 points",
        "",
    ],
)
def test_other_numbers_are_no_expression_of_time(text):
    assert found(text) == []


def test_an_annotated_span_gets_the_words_that_narrow_it_unless_another_holds_them():
    words = "The next early Ramadan ago".split()
    assert widen(Span("DATE", 3, 4), words, taken=frozenset()) == Span("DATE", 0, 5)
    assert widen(Span("DATE", 3, 4), words, taken=frozenset({2})) == Span("DATE", 3, 5)


def test_the_smallest_unit_decides_between_date_and_time():
    assert label_of("DP") == "TIME"
    assert label_of("WU") == "DATE"

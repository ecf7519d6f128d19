"""Long sentences cut at the borders of their clauses and joined again: no part too long, no character lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.clauses import cut_clauses, join_clauses
from service.text.spans import Stretch

WORDS = st.sampled_from(
    [
        "and", "because", "the", "station", "milk,", "eggs,", "rain;", "so:", "—", "- x", "(a", "b)", '"Well,', 'no"',
        "'yes'", "5", "1,250.75", "+44 20 7946", "50 %", "{{ user name }}", "<a href='b c'>", "`make test`",
        "http://a.b/c;d—e", "Mr.", "What?",
        "e\u0301", "👍🏽", "👩\u200d🚀", "他们来了", "\ue000", "a—b", ",", ";", "{{", "}}", "“", "”",
    ]
)  # fmt: skip
DOCTOR = (
    "The doctor told him that he should not drink alcohol, that he should sleep at least eight hours a day, "
    "and that he should come back if the pain did not stop within two weeks."
)
POLICE = (
    "The police said that nobody was hurt in the accident, but that two cars were badly damaged "
    "and the road was closed for three hours."
)
SPACES = st.sampled_from([" ", "", "  ", "\t", "\u00a0"])
TEXTS = st.lists(st.tuples(WORDS | st.text(max_size=6), SPACES).map("".join), max_size=40).map("".join)


def num_words(text: str) -> int:
    return len(text.split())


def num_bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def cut(text: str, max_words: int) -> list[str]:
    parts = cut_clauses(text, length_of=num_words, max_tokens=max_words)
    return [part.within(text) for part in parts]


@given(TEXTS, st.integers(0, 30), st.sampled_from([len, num_words, num_bytes]))
def test_no_part_is_too_long_and_only_separators_stand_between(
    text: str, max_tokens: int, length_of: Callable[[str], int]
) -> None:
    parts = cut_clauses(text, length_of=length_of, max_tokens=max_tokens)
    surfaces = [part.within(text) for part in parts]
    for surface in surfaces:
        assert surface.strip() == surface != ""
        assert length_of(surface) <= max_tokens or len(surface) == 1
    places = [0, *(place for part in parts for place in (part.start, part.end)), len(text)]
    assert places == sorted(places)
    gaps = [text[start:end] for start, end in pairwise(places)][::2]
    assert all(
        set(gap.replace(" ", "")) <= set(",;:—–-") or gap.isspace() for gap in map(" ".join, map(str.split, gaps))
    )
    assert bool(parts) == bool(text.strip())


@given(TEXTS, st.integers(1, 20), st.sampled_from(["es", "de"]))
def test_parts_that_stay_as_they_are_give_the_text_back(text: str, max_words: int, language: str) -> None:
    parts = cut_clauses(text, length_of=num_words, max_tokens=max_words)
    surfaces = [part.within(text) for part in parts]
    joined = "".join(join_clauses(text, parts, surfaces, language=language))
    assert joined.casefold().replace("\u0307", "") == text.casefold().replace("\u0307", "")


@pytest.mark.parametrize("text", ["", " \n", "No.", " I would if I could, and you? "])
def test_what_is_short_enough_is_one_part(text: str) -> None:
    assert cut(text, 10) == [text.strip()][: bool(text.strip())]


@pytest.mark.parametrize(
    ("text", "max_words", "expected"),
    [
        (
            DOCTOR,
            15,
            [
                "The doctor told him that he should not drink alcohol",
                "that he should sleep at least eight hours a day",
                "and that he should come back if the pain did not stop within two weeks.",
            ],
        ),
        (
            POLICE,
            20,
            [
                "The police said that nobody was hurt in the accident",
                "but that two cars were badly damaged and the road was closed for three hours.",
            ],
        ),
        ("One two, three four; five, and six seven eight", 6, ["One two, three four", "five, and six seven eight"]),
        ("We stayed at home — it rained all day", 5, ["We stayed at home", "it rained all day"]),
        ("We stayed at home—it rained all day", 5, ["We stayed at home", "it rained all day"]),
        ("We stayed at home because it rained all day", 6, ["We stayed at home", "because it rained all day"]),
        ("Is it late? asked the man on the bench", 7, ["Is it late?", "asked the man on the bench"]),
        ('"I am glad that you came," said the old man', 6, ['"I am glad that you came,"', "said the old man"]),
        ("one two three four", 2, ["one two", "three four"]),
    ],
)
def test_clauses_are_cut_where_they_end(text: str, max_words: int, expected: list[str]) -> None:
    assert cut(text, max_words) == expected


def test_a_list_is_cut_between_its_items_and_near_its_middle() -> None:
    goods = [f"good{number} of mine" for number in range(60)]
    parts = cut(f"Please bring {', '.join(goods)} and bread.", 60)
    assert len(parts) == 4
    assert all(40 <= len(part.split()) <= 50 for part in parts)
    assert all(part.startswith("good") for part in parts[1:])


def test_a_clause_is_cut_off_before_a_list_is_cut() -> None:
    text = "If you go to the town today to see her, bring milk, eggs, tea, rice and oil"
    assert cut(text, 10) == ["If you go to the town today to see her", "bring milk, eggs, tea, rice and oil"]


@pytest.mark.parametrize(
    "whole",
    [
        "(a big one, and old; but it still sleeps)", '"I would, if I could; but I cannot"', "“so, and so; or so”",
        "«si, y no; pero»", "{{ user name, or so; here }}", "+44 20 7946 0958", "May 5, 2024", "1 250 000", "$ 50",
        "50 %", "<a title='one; two, and three'>", "`rm; make test, or run`", "http://a.b/c;d,e—f",
    ],
)  # fmt: skip
def test_what_belongs_together_stays_together(whole: str) -> None:
    text = f"word one two three four five six {whole} seven eight nine ten eleven twelve"
    assert any(whole in part for part in cut(text, max(len(whole.split()), 8)))


def test_what_is_too_long_by_itself_is_cut_all_the_same() -> None:
    assert cut('"one two, three four"', 2) == ['"one two', 'three four"']
    assert cut("{{ one two }}", 2) == ["{{ one", "two }}"]
    url = "http://a.b/" + "c" * 40
    parts = cut_clauses(url, length_of=len, max_tokens=20)
    assert "".join(url[part.start : part.end] for part in parts) == url


def test_marks_stay_with_their_letters() -> None:
    text = "e\u0301" * 15 + "👍🏽" * 9 + "👩\u200d🚀" * 6
    parts = [part.within(text) for part in cut_clauses(text, length_of=len, max_tokens=8)]
    assert not any(part[0] in "\u0301🏽\u200d" or part[-1] == "\u200d" for part in parts)


SHORT = [
    "a",
    "a ",
    ", ",
    "(",
    "( ",
    "1 ",
    "\" a'",
    "{{ ",
    "<a ",
    "`a ",
    "a—",
    "http://",
    "\u0301",
    ": ",
    "'a' ",
    " \n",
    "a, b; ",
]


@pytest.mark.parametrize("unit", SHORT)
def test_long_texts_of_any_kind_take_little_time(unit: str) -> None:
    text = ("x" + unit * 100_000)[:100_000] + "x"
    read: list[int] = []

    def length_of(part: str) -> int:
        read.append(len(part))
        return len(part) // 4 + 1

    began_at = time.process_time()
    parts = cut_clauses(text, length_of=length_of, max_tokens=60)
    assert time.process_time() - began_at < 5
    assert len(read) <= 2 * len(parts) - 1
    assert len(parts) <= 3 * len(text) / 4 / 60
    assert sum(read) <= 16 * len(text)


@given(st.lists(TEXTS, min_size=1, max_size=6), st.integers(1, 12))
def test_every_part_is_measured_once(texts: list[str], max_words: int) -> None:
    text, num_calls = " ".join(texts), 0

    def length_of(part: str) -> int:
        nonlocal num_calls
        num_calls += 1
        return len(part.split())

    parts = cut_clauses(text, length_of=length_of, max_tokens=max_words)
    assert num_calls <= max(1, 2 * len(parts) - 1)


def joined(text: str, *translations: str, language: str = "es") -> str:
    """``text`` has ``|`` after each separator where it was cut."""
    parts, start = [], 0
    for piece in text.split("|"):
        parts.append(Stretch(start, start + len(piece.rstrip(" ,;:—"))))
        start += len(piece)
    return "".join(join_clauses(text.replace("|", ""), parts, translations, language=language))


@pytest.mark.parametrize(
    ("text", "translations", "language", "expected"),
    [
        ("He slept, |and she left.", ["Durmió.", "Y ella se fue."], "es", "Durmió, y ella se fue."),
        ("He slept;  |I left", ["Durmió.", "Me fui."], "es", "Durmió;  me fui"),
        ("He slept, |I'm up", ["Durmió", "Estoy despierto"], "es", "Durmió, estoy despierto"),
        ("We slept. |In May", ["Dormimos.", "En mayo"], "es", "Dormimos. En mayo"),
        ("now |he left", ["Ahora", "«Él se fue»"], "es", "Ahora «él se fue»"),
        ("we met |the UN", ["Vimos", "ONU"], "es", "Vimos ONU"),
        ("he ate, |and so on", ["Comió", "etc."], "es", "Comió, etc."),
        ("he said... |no", ["Dijo...", "No..."], "es", "Dijo... no..."),
        ("he came, |and left", ["Er kam.", "Und ging."], "de", "Er kam, und ging"),
        ("he came, |dogs left", ["Er kam.", "Hunde gingen."], "de", "Er kam, Hunde gingen"),
        (
            "he came; |we left: |now",
            ["Il vint.", "Nous partîmes.", "Maintenant."],
            "fr",
            "Il vint ; nous partîmes : maintenant",
        ),
        ("he—|and she", ["Él", ""], "es", "Él—"),
        ("he ate, |then Marie left", ["Comió.", "Marie se fue."], "es", "Comió, Marie se fue"),
        ("one, |5 more", ["Uno", "5 más"], "es", "Uno, 5 más"),
    ],
)
def test_parts_are_joined_as_one_sentence(text: str, translations: list[str], language: str, expected: str) -> None:
    assert joined(text, *translations, language=language) == expected


def test_what_surrounds_the_parts_is_kept() -> None:
    assert join_clauses("  a b ", [Stretch(2, 5)], ["C."], language="es") == ["  ", "C", " "]
    assert join_clauses(" \n", [], [], language="es") == [" \n"]

"""Protected items are found, each by itself, in time that grows with the text and no faster."""

from __future__ import annotations

import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.placeholders.items import Item, key, scan, without_edges

ALPHABET = frozenset(string.ascii_letters + string.digits + string.punctuation + " \n’“”éèñüº")
PARTS = st.sampled_from(
    "the of I'm 1984 3 12:30 1,000.50 http://a.b/c?d=e. www.x.org a@b.co @you #tag 😀 👩‍👩‍👧 🇩🇪 1️⃣ я 你好 e\u0301 "
    "x\u0301y \ue000 \ud800 \0 ▁ ﬁ ... C# R&B A380 etc. \u200d \ufe0f \u0301 {0} %s <b> </b> ** &amp; ` `` ``` -5 50 % "
    "$ [a](b)".split()
)
TEXTS = st.lists(PARTS | st.text(st.characters(exclude_categories=()), max_size=6), max_size=12).map(" ".join)


def found(text: str, kind: str = "") -> list[str]:
    return [item.text for item in scan(text, ALPHABET) if kind in item.kind]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("I have 3 cats and 21 dogs.", ["3", "21"]),
        ("The temperature was -5 degrees, or +3.", ["-5", "+3"]),
        ("The score was 3-2 on 12/03/2024 or 2024-05-01.", ["3-2", "12/03/2024", "2024-05-01"]),
        ("Born in 1984, at 12:30.", ["1984", "12:30"]),
        ("At 2024-05-01T10:30:00Z, 2024-05-01T10:30:00+02:00", ["2024-05-01T10:30:00Z", "2024-05-01T10:30:00+02:00"]),
        ("1,234.56 and 1.234,56 and 1 234,56 and 12 345 678", ["1,234.56", "1.234,56", "1 234,56", "12 345 678"]),
        ("In 2019 300 people", ["2019", "300"]),
        ("Call me on +44 20 7946 0958 tomorrow", ["+44 20 7946 0958"]),
        ("Call 020 7946 0958 or (020) 7946 0958 or 555-1234!", ["020 7946 0958", "(020) 7946 0958", "555-1234"]),
        ("Pay 50% or 50 % now, 3‰", ["50%", "50 %", "3‰"]),
        ("$5 5€ A$20 -$5 5 USD USD 5 $ 5 R$1,50 £3.50 5 € $5M", ["$5", "5€", "A$20", "-$5", "5 USD", "USD 5", "$ 5",
         "R$1,50", "£3.50", "5 €", "$5M"]),
        ("5 km 10 MB 20 °C 20°C 90° 100 km/h 2 m² 500 kWh", ["5 km", "10 MB", "20 °C", "20°C", "90°", "100 km/h",
         "2 m²", "500 kWh"]),
        ("5 lbs 3 miles 10 minutes 5 metres", ["5", "3", "10", "5"]),
        ("1st 21st 1990s 1er 1.º 3ème 1990er 3pm 3PM", ["1", "21", "1990", "1", "1", "3", "1990", "3", "3"]),
        ("#5, No. 7, ½ and 3½", ["#5", "7", "½", "3½"]),
        ("a 10-year-old", ["10"]),
        ("the 4K 3D film", ["4K", "3D"]),
        ("see 5–7", ["5–7"]),
    ],
)  # fmt: skip
def test_numbers(text: str, numbers: list[str]) -> None:
    assert found(text) == numbers
    assert found(text, "number") == numbers


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Hello {0}, you are {name}, {{ x.y }} or ${z}.", ["{0}", "{name}", "{{ x.y }}", "${z}"]),
        ("%s is %1$s and %(count)d of %d, :name", ["%s", "%1$s", "%(count)d", "%d", ":name"]),
        ("See http://x.y/z?d=1.", ["http://x.y/z?d=1"]),
        ("(www.Example.org/a), HTTPS://X.Y", ["www.Example.org/a", "HTTPS://X.Y"]),
        ("Go to ribbon.example.com/docs, please", ["ribbon.example.com/docs"]),
        ("I saw it.It was, etc.com or e.g. this", ["etc.com"]),
        ("Write to a.b+c@d-e.co.uk.", ["a.b+c@d-e.co.uk"]),
        ("@anna likes #winter, C#, C++, .NET and R&B", ["@anna", "#winter", "C#", "C++", ".NET", "R&B"]),
        ("in /usr/bin/x, C:\\x, report.pdf or src/a/b.py.", ["/usr/bin/x", "C:\\x", "report.pdf", "src/a/b.py"]),
        ("and/or he/she", []),
        ("snake_case camelCase foo() WhatsApp GitHub iPhone", ["snake_case", "camelCase", "foo()", "WhatsApp", "GitHub",
         "iPhone"]),
        ("COVID-19 v2.1.0 A380 x86_64 MP3 GPT-4", ["COVID-19", "v2.1.0", "A380", "x86_64", "MP3", "GPT-4"]),
        ("run `make test` or ``a`b`` now", ["`make test`", "``a`b``"]),
        ("<code>x < y</code> is it", ["<code>x < y</code>"]),
        ("So good 😀😀, I ❤️ it 👩‍👩‍👧", ["😀", "😀", "❤️", "👩‍👩‍👧"]),
        ("Flags 🇩🇪🇫🇷 or 1️⃣.", ["🇩🇪", "🇫🇷", "1️⃣"]),
        ("caf&eacute; and AT&amp;T", ["caf&eacute;", "AT&amp;T"]),
        ("a \ue000 b \ue000\uf000", ["\ue000", "\ue000", "\uf000"]),
        ("the well-known U.S. e-mail at 5 o'clock, Ph.D.", ["5"]),
    ],
)  # fmt: skip
def test_names(text: str, names: list[str]) -> None:
    assert found(text) == names


@pytest.mark.parametrize(
    ("text", "markups"),
    [
        ('<p>The <b class="a>b">cat</b></p><img src="x"/><br>', ["<p>", '<b class="a>b">', "</b>", "</p>",
         '<img src="x"/>', "<br>"]),
        ("a < b and c > d", []),
        ("Tom &amp; Jerry &#39;s don&#39;t", ["&amp;", "&#39;"]),
        ("# Some **bold** and _thin_ ~~text~~", ["#", "**", "**", "_", "_", "~~", "~~"]),
        ("See [this](http://a.b/c) and ![that](b.png)", ["[", "](http://a.b/c)", "![", "](b.png)"]),
        ("line\\nline", ["\\n"]),
    ],
)  # fmt: skip
def test_markup(text: str, markups: list[str]) -> None:
    assert found(text, "markup") == found(text) == markups


def test_words_that_the_subwords_cannot_spell_are_foreign() -> None:
    text = "He lives in Владивосток, 中文 and naïve camelCaseя"
    assert found(text, "foreign") == ["Владивосток", "中文", "naïve", "camelCaseя"][:3]
    assert found(text, "name") == ["camelCaseя"]
    assert [item.text for item in scan(text)] == ["camelCaseя"]


@given(TEXTS, st.sampled_from([ALPHABET, None]))
def test_items_stand_where_they_say_from_left_to_right(text: str, alphabet: frozenset[str] | None) -> None:
    end = 0
    for item in scan(text, alphabet):
        assert end <= item.start < item.end
        assert text[item.start : item.end] == item.text
        end = item.end


@given(TEXTS)
def test_what_is_outside_of_items_can_be_spelled(text: str) -> None:
    left = list(text)
    for item in scan(text, ALPHABET):
        left[item.start : item.end] = " " * (item.end - item.start)
    assert ALPHABET.issuperset("".join("".join(left).split()))


@given(TEXTS, TEXTS)
def test_a_sentence_that_has_no_item_by_the_first_look_has_none(text: str, other: str) -> None:
    """A text that cannot have items is not read word by word."""
    whole = scan(f"{text}\n\n5\n\n{other}")
    apart = [*scan(text), Item("5", "number", 0, 1), *scan(other)]
    if "`" not in text + other and "<" not in text + other:
        assert Counter(item.text for item in whole) == Counter(item.text for item in apart)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,234.56", "1.234,56"),
        ("1,234", "1 234"),
        ("50%", "50\u00a0%"),
        ("5 €", "€5"),
        ("-5", "−5"),
        ("5-7", "5–7"),
        ("12:30", "12.30"),
    ],
)
def test_numbers_in_other_formats_have_the_same_key(one: str, other: str) -> None:
    assert key(scan(one)[0]) == key(scan(other)[0])


@pytest.mark.parametrize(("one", "other"), [("5", "-5"), ("5%", "5"), ("5 km", "5 MB"), ("$5", "5€"), ("a_b", "a_c")])
def test_other_items_have_other_keys(one: str, other: str) -> None:
    assert key(scan(one)[0]) != key(scan(other)[0])


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("Me too! 😀", "Me too!"),
        ("😀 Me too 🇩🇪 \n", "Me too"),
        ("😀Me 😀 too", "Me 😀 too"),
        ("  Me", "Me"),
        ("Me", "Me"),
        ("😀 🇩🇪", ""),
        (" ", ""),
        ("", ""),
    ],
)
def test_emoji_and_white_space_at_the_edges_only_surround(text: str, inner: str) -> None:
    start, end = without_edges(text)
    assert text[start:end] == inner


@given(TEXTS)
def test_edges_are_within_any_text(text: str) -> None:
    start, end = without_edges(text)
    assert 0 <= start <= end <= len(text)

"""What is copied is found, named by a placeholder, and put back."""

from __future__ import annotations

import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.copying import assign, has_words, mask, restore, without_edges
from service.text.subwords import PLACEHOLDER
from tests.letters import CHARACTERS

ALPHABET = frozenset(CHARACTERS) | {" ", "\n", "’", "“", "”", "/", "#", "&", "@", "%"}
P = PLACEHOLDER
PARTS = st.sampled_from(
    "the of I'm 1984 3 12:30 1,000.50 http://a.b/c?d=e. www.x.org a@b.co @you #tag 😀 👩‍👩‍👧 🇩🇪 1️⃣ я 你好 "
    "e\u0301 x\u0301y \ue000 \ud800 \0 ▁ ﬁ ... C# R&B A380 etc. \u200d \ufe0f \u0301".split(" ")
)
TEXTS = st.lists(PARTS | st.text(st.characters(exclude_categories=()), max_size=6), max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("text", "masked", "originals"),
    [
        ("I have 3 cats and 21 dogs.", "I have 3 cats and 21 dogs.", ()),
        ("Born in 1984, at 12:30.", f"Born in {P}, at {P}.", ("1984", "12:30")),
        ("It costs 1,000.50 now, or 3.14.", f"It costs {P} now, or {P}.", ("1,000.50", "3.14")),
        ("Call 555-1234!", f"Call {P}-{P}!", ("555", "1234")),
        ("The A380 and the 1980s.", f"The A{P} and the {P}s.", ("380", "1980")),
        ("See http://x.y/z?d=1.", f"See {P}.", ("http://x.y/z?d=1",)),
        ("(www.Example.org/a), HTTPS://X.Y", f"({P}), {P}", ("www.Example.org/a", "HTTPS://X.Y")),
        ("Go to ribbon.example.com/docs, please", f"Go to {P}, please", ("ribbon.example.com/docs",)),
        ("I saw it.It was, etc.com or e.g. this", f"I saw it.It was, {P} or e.g. this", ("etc.com",)),
        ("Write to a.b+c@d-e.co.uk.", f"Write to {P}.", ("a.b+c@d-e.co.uk",)),
        ("@anna likes #winter, C# and R&B", f"{P} likes {P}, C# and R&B", ("@anna", "#winter")),
        ("So good 😀😀, I ❤️ it 👩‍👩‍👧", f"So good {P}, I {P} it {P}", ("😀😀", "❤️", "👩‍👩‍👧")),
        ("Flags 🇩🇪🇫🇷 or 1️⃣.", f"Flags {P} or {P}.", ("🇩🇪🇫🇷", "1️⃣")),
        ("He lives in Владивосток, Россия.", f"He lives in {P}, {P}.", ("Владивосток", "Россия")),
        ("你好, he said in 中 文", f"{P}, he said in {P}", ("你好", "中 文")),
        ("a naïve café", f"a {P} café", ("naïve",)),
        (f"a {P} b {P}{P}", f"a {P} b {P}", (P, P + P)),
        ("a cafe\u0301", "a café", ()),
        ("", "", ()),
    ],
)
def test_what_is_copied_is_masked(text, masked, originals):
    found = mask(text, ALPHABET)
    assert (found.text, found.originals) == (masked, originals)


@given(TEXTS)
def test_any_text_is_masked_and_its_originals_in_order_give_it_back(text):
    found = mask(text, ALPHABET)
    assert found.text.count(P) == len(found.originals)
    assert all(found.originals)
    assert ALPHABET.issuperset("".join(found.text.replace(P, "").split()))
    parts = found.text.split(P)
    whole = "".join(part + each for part, each in zip(parts, [*found.originals, ""], strict=True))
    assert whole == unicodedata.normalize("NFC", text)


@given(TEXTS)
def test_a_translation_that_is_its_source_comes_back_with_its_copies(text):
    found = mask(text.strip(), ALPHABET)
    assert restore(found.text, found.originals) == unicodedata.normalize("NFC", text.strip())


@pytest.mark.parametrize(
    ("translation", "copies", "expected"),
    [
        (f"en {P}, a {P}.", ["1984", "12:30"], "en 1984, a 12:30."),
        (f"en {P} y {P}.", ["1984"], "en 1984 y."),
        (f"en {P} y {P}", ["", "b"], "en y b"),
        (f"{P} y", [], "y"),
        (f"y {P}{P}", ["a", "b"], "y ab"),
        ("y", ["a"], "y"),
        (f"{P}", [r"\1 \g<0>"], r"\1 \g<0>"),
    ],
)
def test_copies_are_put_back_and_what_has_none_goes(translation, copies, expected):
    assert restore(translation, copies) == expected


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], [0, 1]),
        ([[0.1, 0.9], [0.2, 0.8]], [1, 0]),
        ([[0.6, 0.4], [0.7, 0.3]], [1, 0]),
        ([[0.5, 0.5], [0.5, 0.5]], [0, 1]),
        ([[0.3], [0.4], [0.2]], [None, 0, None]),
        ([[0.3, 0.1, 0.6]], [2]),
    ],
)
def test_a_placeholder_is_what_it_looked_at_most_and_nothing_is_used_twice(weights, expected):
    assert assign(np.array(weights, np.float32)) == expected


def test_where_there_is_nothing_nothing_is_assigned():
    assert assign(np.zeros((0, 3), np.float32)) == []
    assert assign(np.zeros((2, 0), np.float32)) == [None, None]


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
def test_emoji_and_white_space_at_the_edges_only_surround(text, inner):
    start, end = without_edges(text)
    assert text[start:end] == inner


@given(TEXTS)
def test_edges_are_within_any_text(text):
    start, end = without_edges(text)
    assert 0 <= start <= end <= len(text)


@pytest.mark.parametrize(("text", "expected"), [("a", True), (f"{P} 12 !?", False), ("", False), ("ñ", True)])
def test_words_are_letters_that_are_not_copied(text, expected):
    assert has_words(text) is expected


@pytest.mark.parametrize(
    "part",
    ["a", "a.", "@", "1", "1.", "http://", "#a", "a@", "a-", "\u0301", "www.", "x%", "a.a", "\u200d😀", "я", "1,"],
)
def test_the_time_grows_with_the_length_and_no_faster(part):
    text = part * (50_000 // len(part))
    started_at = time.process_time()
    mask(text, ALPHABET)
    without_edges(text)
    assert time.process_time() - started_at < 2

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.tokenizer import join_words, split_sentences, words_of

LUMPS = st.sampled_from(
    ["don't", "U.S.", "etc.", " ", "\n", "\n\n", "\r\n", ":)", "http://a.b/c?d", "me@x.org", "😀", "👩‍👧",
     "its not", "...", "e\u0301", "\x00", "\ud800", "’s", "$5M", "non-", "(", '"', "No.", "\u2029", "*", "a*b",
     "#1", "12/3", "İ"]
)  # fmt: skip
TEXTS = st.lists(LUMPS | st.text(max_size=8), max_size=30).map("".join)


def sentences(text: str) -> list[str]:
    return [" ".join(sentence.words) for sentence in split_sentences(text)]


@given(TEXTS)
def test_words_are_slices_and_nothing_visible_is_lost(text: str) -> None:
    found = split_sentences(text)
    previous = 0
    seen = []
    for sentence in found:
        assert len(sentence.words) == len(sentence.starts) == len(sentence.ends) > 0
        for word, start, end in sentence:
            assert previous <= start < end
            assert text[start:end] == word
            assert not any(character.isspace() for character in word)
            previous = end
            seen.append(word)
    assert "".join(seen) == "".join(text.split())


@given(TEXTS, TEXTS)
def test_a_blank_line_parts_texts_that_know_nothing_of_each_other(one: str, other: str) -> None:
    assert sentences(f"{one}\n\n{other}") == sentences(one) + sentences(other)


@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1), min_size=1))
def test_joined_words_keep_their_places(words: list[str]) -> None:
    text, sentence = join_words(words)
    assert text == " ".join(words)
    assert sentence.words == words
    assert [text[start:end] for _, start, end in sentence] == words


@pytest.mark.parametrize("text", ["", " ", "\n\n \t", "\u2028\u00a0", "\x1c\x1f"])
def test_white_space_has_no_sentences(text: str) -> None:
    assert split_sentences(text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't worry, it's John's.", "Do n't worry , it 's John 's ."),
        ("We don’t know; she’ll come.", "We do n’t know ; she ’ll come ."),
        ("I cannot go, im gonna stay and dont care", "I can not go , i m gon na stay and do nt care"),
        ("the parents' cars", "the parents ' cars"),
        ("its not true that its roof leaks", "it s not true that its roof leaks"),
        ("O'Neill met Shi'ite leaders", "O'Neill met Shi'ite leaders"),
        (
            "See http://example.org/a?b=c#d, or www.example.com.",
            "See http://example.org/a?b=c#d , or www.example.com .",
        ),
        ("write to <jo.doe+x@mail.example.org>!", "write to < jo.doe+x@mail.example.org > !"),
        ("long-term anti-trust e-mail", "long - term anti-trust e-mail"),
        ("he/she came on 11/28/2000", "he / she came on 11/28/2000"),
        ("$3M at 5pm (35mm, 20%)", "$ 3 M at 5 pm ( 35 mm , 20 % )"),
        ("the 5th of the 1990s in 1,350.5 ways", "the 5th of the 1990s in 1,350.5 ways"),
        ("well...maybe?!?! yes--no", "well ... maybe ?!?! yes -- no"),
        ("great :-) or :( or <3 😀👍🏽", "great :-) or :( or <3 😀 👍🏽"),
        ("call 713-853-3989 re AT&T in the U.S. today", "call 713-853-3989 re AT&T in the U.S. today"),
        ("“So-called” ‘friends’ [sic]", "“ So - called ” ‘ friends ’ [ sic ]"),
        ("report.doc and Mr. Smith, i.e. me", "report.doc and Mr. Smith , i.e. me"),
    ],
)
def test_words_are_cut_as_the_treebank_cuts_them(text: str, words: str) -> None:
    assert sentences(text) == [words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. Smith left. He was late.", ["Mr. Smith left .", "He was late ."]),
        ('"Really?" she asked. Then she left!', ['" Really ? " she asked .', "Then she left !"]),
        ("A heading\n\nand its text", ["A heading", "and its text"]),
        ("Milk\nEggs\nBread", ["Milk", "Eggs", "Bread"]),
        ("We sell nuts, bolts, etc. They are cheap.", ["We sell nuts , bolts , etc .", "They are cheap ."]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(TEXTS)
def test_the_words_of_a_whole_text_lose_nothing_visible_and_hold_no_white_space(text: str) -> None:
    words = words_of(text)
    assert "".join(words) == "".join(text.split())
    assert all(word and not any(map(str.isspace, word)) for word in words)


def test_a_wrapped_line_is_not_the_end_of_a_sentence() -> None:
    line = "the quick brown fox jumps over the lazy dog and then it runs back"
    assert len(split_sentences(f"{line}\n{line}")) == 1

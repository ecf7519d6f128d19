"""Words, emoji and symbols to ids."""

import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.pipeline import (
    PAD_ID,
    UNK_ID,
    WORD_BEGIN,
    WORD_END,
    TextEncoder,
    Vocabulary,
    WordEncoder,
    name_words,
    normalize,
    parts_of_symbol,
)
from service.text.tokenizer import words_of

VOCABULARIES = {
    "words": Vocabulary.of(["plays", "it's", "0000", "abcdefghij"]),
    "suffixes": Vocabulary.of(["ays", "hij", "a"]),
    "characters": Vocabulary.of((WORD_BEGIN, WORD_END, *"abcdefghijPplsy")),
}
WORDS = st.lists(
    st.text(max_size=12) | st.sampled_from(["plays", "Plays", "1998", "x" * 99, "😀", "\ud800", "\0"]), max_size=15
)


def encoder(*, num_characters: int = 8, cache_size: int = 50_000) -> WordEncoder:
    return WordEncoder(VOCABULARIES, num_characters=num_characters, cache_size=cache_size)


def characters(word: str) -> list[int]:
    return [VOCABULARIES["characters"].encode(c) for c in word]


def uncached(words: list[str]) -> list[list[int]]:
    return [encoder().features(word) for word in words]


@pytest.mark.parametrize(
    ("word", "key"), [("Plays", "plays"), ("It’s", "it's"), ("“X”", '"x"'), ("1998", "0000"), ("٣rd", "0rd"), ("", "")]
)
def test_words_are_looked_up_in_lower_case_with_plain_quotes_and_digits_as_noughts(word, key):
    assert normalize(word) == key


def test_a_row_is_word_suffix_and_marked_characters():
    row = encoder(num_characters=8).features("Plays")
    assert row[0] == VOCABULARIES["words"].encode("plays")
    assert row[1] == VOCABULARIES["suffixes"].encode("ays")
    assert row[2:] == [*characters(f"{WORD_BEGIN}Plays{WORD_END}"), PAD_ID]


def test_numbers_share_a_word():
    rows = encoder().encode(["1998", "2024"])
    assert rows[0, 0] == rows[1, 0] == VOCABULARIES["words"].encode("0000")


@pytest.mark.parametrize(
    ("num_characters", "seen"), [(8, "abchij"), (7, "abcij"), (4, "aj"), (3, "a"), (2, ""), (12, "abcdefghij")]
)
def test_of_a_long_word_its_beginning_and_end_are_seen(num_characters, seen):
    row = encoder(num_characters=num_characters).features("abcdefghij")
    assert row[0] == VOCABULARIES["words"].encode("abcdefghij")
    assert row[2:] == characters(f"{WORD_BEGIN}{seen}{WORD_END}")


def test_unknown_is_unknown():
    row = encoder().features("Ωmega")
    assert row[0] == row[1] == row[3] == UNK_ID


@given(WORDS)
def test_any_words_make_rows_of_one_width(words):
    rows = encoder().encode(words)
    assert rows.shape == (len(words), 10)
    assert rows.dtype == np.int32
    assert rows.tolist() == uncached(words)


@given(st.lists(WORDS, max_size=6), st.integers(1, 12))
def test_a_cache_that_fills_and_is_cleared_changes_nothing(sentences, cache_size):
    small = encoder(cache_size=cache_size)
    for words in sentences:
        assert small.encode(words).tolist() == uncached(words)


def test_a_sentence_of_more_words_than_the_table_first_holds():
    words = [f"w{i}" for i in range(3000)]
    assert encoder(cache_size=2000).encode(words).tolist() == uncached(words)


def test_rows_belong_to_the_caller():
    shared = encoder()
    shared.encode(["plays"])[:] = 0
    assert shared.encode(["plays"]).tolist() == uncached(["plays"])


def test_threads_that_share_a_small_cache_each_get_their_own_rows():
    shared = encoder(cache_size=20)
    sentences = [[f"a{(i * j) % 37}" for j in range(12)] for i in range(60)]
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(shared.encode, sentences))
    assert [row.tolist() for row in rows] == [uncached(words) for words in sentences]


TEXT_WORDS = Vocabulary.of(["so", "too", "good", "!", "!!", "made", "-", "00", "it's", "hmm"])
ODD_WORDS = WORDS | st.lists(
    st.sampled_from("so sooo SO well-made !!!! it’s <pad> <unk> <mask> a-a-a-a 3rd-rate /".split()), max_size=15
)


def ids_of(*tokens: str) -> list[int]:
    return [TEXT_WORDS.encode(token) for token in tokens]


@pytest.mark.parametrize(
    ("word", "tokens"),
    [
        ("Good", ["good"]),
        ("It’s", ["it's"]),
        ("42", ["00"]),
        ("unheard-of", ["<unk>", "-", "<unk>"]),
        ("soooo", ["so"]),
        ("TOOOO", ["too"]),
        ("!!!!!", ["!!"]),
        ("hmmmm", ["hmm"]),
        ("so-so", ["so", "-", "so"]),
        ("well-made", ["<unk>", "-", "made"]),
        ("<pad>", ["<unk>"]),
        ("<mask>", ["<unk>"]),
        ("\ud800", ["<unk>"]),
    ],
)
def test_a_word_of_a_text_is_itself_or_without_repeats_or_its_parts(word, tokens):
    assert TextEncoder(TEXT_WORDS).encode([word]).tolist() == ids_of(*tokens)
    assert all(token == "<unk>" or token in TEXT_WORDS.ids for token in tokens)


def test_of_a_word_whose_parts_are_all_unknown_there_is_one_id():
    assert TextEncoder(TEXT_WORDS).encode(["x/y/z", "good"]).tolist() == [UNK_ID, *ids_of("good")]


def test_a_text_without_words_is_an_empty_row():
    row = TextEncoder(TEXT_WORDS).encode([])
    assert (row.shape, row.dtype) == ((0,), np.int32)


@given(ODD_WORDS, st.integers(1, 4))
def test_a_text_s_ids_are_those_of_its_words_whatever_is_in_the_cache(words, cache_size):
    tight = TextEncoder(TEXT_WORDS, cache_size=cache_size)
    expected = [i for word in words for i in TextEncoder(TEXT_WORDS).ids_of(normalize(word))]
    for _ in range(2):
        assert tight.encode(words).tolist() == expected
    assert len(expected) >= len(words)


def test_several_threads_may_encode_texts_at_once():
    shared = TextEncoder(TEXT_WORDS, cache_size=5)
    texts = [[f"so{i}", "good", "well-made", "!!!!", f"x-{i % 7}"] for i in range(200)]
    expected = [TextEncoder(TEXT_WORDS).encode(words).tolist() for words in texts]
    with ThreadPoolExecutor(8) as pool:
        assert [row.tolist() for row in pool.map(shared.encode, texts)] == expected


SYMBOL_WORDS = Vocabulary.of(["😀", "👩", "pouting", "face", "heart", "0", "keycap", "-", "good", "€"])


@pytest.mark.parametrize(
    ("word", "tokens"),
    [
        ("😀", ["😀"]),
        ("😡", ["pouting", "face"]),
        ("❤️", ["<unk>", "<unk>", "heart"]),
        ("👩🏽‍💻", ["👩", "<unk>"]),
        ("😡😀", ["pouting", "face", "😀"]),
        ("😡😡😡", ["pouting", "face"] * 3),
        ("1️⃣", ["0", "<unk>", "<unk>", "keycap"]),
        ("★", ["<unk>"]),
        ("€", ["€"]),
        ("good-😡", ["good", "-", "<unk>"]),
    ],
)
def test_an_emoji_that_is_not_known_is_the_words_of_its_name(word, tokens):
    assert TextEncoder(SYMBOL_WORDS).encode([word]).tolist() == [SYMBOL_WORDS.encode(token) for token in tokens]


@given(st.text(st.characters(exclude_categories=["S", "Mn", "Me"]), min_size=1, max_size=12))
def test_what_is_known_of_names_changes_no_word_without_a_symbol(word):
    """The same but for the words that names are made of."""
    named, plain = Vocabulary.of(["a", "-", "0", "sign"]), Vocabulary.of(["a", "-", "0"])
    if "sign" not in word.lower():
        assert TextEncoder(named).encode([word]).tolist() == TextEncoder(plain).encode([word]).tolist()


def test_a_long_sequence_of_emoji_takes_time_as_its_length():
    word = "😡\u200d" * 50_000
    began = time.process_time()
    assert len(TextEncoder(SYMBOL_WORDS).encode([word])) == 100_000
    assert time.process_time() - began < 5


ANY = st.text(st.characters(exclude_categories=()), max_size=20)


def names_of(word: str) -> str:
    return " + ".join(" ".join(name_words(part)) for part in parts_of_symbol(word))


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("😡", "pouting face"),
        ("❤️", "heavy black heart"),
        ("👍🏽", "thumbs up sign"),
        ("🤷🏿‍♀️", "shrug + female sign"),
        ("👨‍👩‍👧", "man + woman + girl"),
        ("🇩🇪", "regional indicator symbol letter d + regional indicator symbol letter e"),
        ("🏴\U000e0067\U000e0062\U000e007f", "waving black flag"),
        ("0️⃣", "digit zero + combining enclosing keycap"),
        ("#⃣", "number sign + combining enclosing keycap"),
        ("‼️", "double exclamation mark"),
        ("™️", "trade mark sign"),
        ("🏽", "emoji modifier fitzpatrick type-4"),
        ("€", "euro sign"),
    ],
)
def test_an_emoji_has_the_names_of_its_parts(word: str, names: str) -> None:
    assert names_of(word) == names
    assert words_of(f"well {word}.") == ["well", word, "."]


@pytest.mark.parametrize(
    "word",
    [
        "",
        "good",
        "1998",
        "1+1",
        "$",
        ">>",
        "<3",
        ":(",
        "^_^",
        "‼",
        "ℹ",
        "a️",
        "️",
        "\u200d",
        "x😡",
        "\ud800",
        "\ufdd0",
        "don´t",
    ],
)
def test_any_other_word_has_no_parts(word: str) -> None:
    assert parts_of_symbol(word) == []


@given(ANY)
def test_a_word_without_a_symbol_has_no_parts(word: str) -> None:
    has_symbol = any(not c.isascii() and unicodedata.category(c)[0] == "S" for c in word)
    is_selected = "\ufe0f" in word or "\u20e3" in word
    assert has_symbol or is_selected or parts_of_symbol(word) == []


@given(st.characters(exclude_categories=()))
def test_names_are_words_in_ascii(character: str) -> None:
    assert all(word.isascii() and word == word.lower() for word in name_words(character))


@pytest.mark.parametrize("word", [":(", ":-)", "<3", "</3", ":'(", ":'-(", ">_<", "^_^", "👍🏽", "❤️", "👩🏽‍💻", "❤️‍🔥"])
def test_an_emoji_or_emoticon_is_one_word(word: str) -> None:
    assert words_of(f"I {word} it") == ["I", word, "it"]
    assert words_of(word * 2) == [word, word]


def test_of_an_emoticon_with_several_mouths_the_first_belongs_to_it() -> None:
    assert words_of("oh :((( :))") == ["oh", ":(", "((", ":)", ")"]
    assert words_of("see:((a) or f=((1,2))") == "see : (( a ) or f = (( 1,2 ))".split(" ")

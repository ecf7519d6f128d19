from __future__ import annotations

import statistics

import pytest

from bench.load.texts import LETTER_SENTENCES, PAGE_SENTENCES, SENTENCES, Texts


def texts(seed: int = 1) -> Texts:
    return Texts.of(SENTENCES, seed=seed)


def test_the_same_seed_writes_the_same():
    first, second, other = texts(), texts(), texts(2)
    assert [first.review("/classify") for _ in range(5)] == [second.review("/classify") for _ in range(5)]
    assert texts().page("/tag") != other.page("/tag")


def test_messages_are_counted_as_they_are():
    made = texts()
    page, letter = made.page("/tag"), made.letter("/translate", target="es")
    assert page.num_items == len(page.body["text"]) == PAGE_SENTENCES
    assert page.num_words == sum(len(text.split()) for text in page.body["text"])
    assert letter.body["target"] == "es"
    assert LETTER_SENTENCES[0] <= letter.body["text"].count("\n\n") + 1 <= LETTER_SENTENCES[1]


def test_openings_are_prompts():
    opening = texts().opening("/generate", max_tokens=24)
    assert opening.num_words == len(opening.body["prompt"].split()) >= 1
    assert opening.body["max_tokens"] == 24


def test_reviews_are_as_long_as_reviews():
    made = texts()
    lengths = [made.review("/classify").num_words for _ in range(300)]
    assert 130 < statistics.median(lengths) < 220
    assert max(lengths) > 400 > 60 > min(lengths)


def test_a_file_of_a_few_lines_is_refused(tmp_path):
    (tmp_path / "short.txt").write_text("One.\nTwo.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="fewer than"):
        Texts.of(tmp_path / "short.txt", seed=1)

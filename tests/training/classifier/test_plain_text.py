from __future__ import annotations

import gzip

import numpy as np
import pytest

from tests.training.corpora.made_up_texts import PARAGRAPHS, UTTERANCES, write
from training.classifier.plain_text import COLUMNS, PLAIN_SOURCES, plain_sentences, read_column, texts_of
from training.classifier.taught import SOURCES
from training.corpora.sources import CorpusUnavailableError


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_source_of_plain_and_taught_text_has_a_column():
    assert {*PLAIN_SOURCES, *SOURCES} <= set(COLUMNS)
    for shares in (PLAIN_SOURCES, SOURCES):
        assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("source", COLUMNS)
def test_every_source_is_read_in_its_form(data_dir, source):
    texts = list(texts_of(source, rng(), data_dir))
    assert texts
    assert not any("\t" in text or text.startswith("#") for text in texts)


def test_a_column_is_the_text_and_lines_without_it_are_passed_over(data_dir):
    assert read_column("dialogue-sgd/train", data_dir) == UTTERANCES
    assert read_column("tatoeba/en-es/train", data_dir) == ("I read a book.", "We live here.")
    assert read_column("lm-english/help", data_dir) == tuple(f"{text} Of help." for text in PARAGRAPHS)


def test_a_compressed_file_is_read_too(tmp_path):
    (tmp_path / "goemotions").mkdir()
    with gzip.open(tmp_path / "goemotions" / "train.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("joy\tWhat a day!\n")
    assert read_column("goemotions/train", tmp_path) == ("What a day!",)


def test_a_source_that_is_unknown_or_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="no source 'mine/train'; known: lm-english/factbook, "):
        read_column("mine/train", tmp_path)
    with pytest.raises(CorpusUnavailableError, match="goemotions/train is not there"):
        read_column("goemotions/train", tmp_path)


def test_running_text_gives_two_sentences_a_paragraph_neither_short_nor_long(tmp_path):
    write(
        tmp_path / "lm-english" / "help.txt", f"Stop. The first. The second one. The third one.\n{'very ' * 50}long\n"
    )
    assert list(texts_of("lm-english/help", rng(), tmp_path)) == ["The first."]


def test_the_order_is_random_and_the_same_for_a_seed(data_dir):
    first, second = (list(texts_of("spam/sms/train", rng(), data_dir)) for _ in range(2))
    assert first == second != list(read_column("spam/sms/train", data_dir))
    assert sorted(first) == sorted(read_column("spam/sms/train", data_dir))


def test_plain_sentences_neither_praise_nor_blame(tmp_path):
    pytest.importorskip("vaderSentiment")
    for source in PLAIN_SOURCES:
        name = source if COLUMNS[source] == -1 else None
        lines = ["What a terrible day.", "The door is green.", "I love it here."]
        column = "" if name else "any\t"
        write(tmp_path / f"{source}.{'txt' if name else 'tsv'}", "".join(f"{column}{line}\n" for line in lines))
    assert plain_sentences(100, rng(), tmp_path) == ["The door is green."] * len(PLAIN_SOURCES)


def test_there_are_as_many_plain_sentences_as_were_asked_for_at_most(data_dir):
    pytest.importorskip("vaderSentiment")
    assert len(plain_sentences(10, rng(), data_dir)) <= 10
    assert len(plain_sentences(1000, rng(), data_dir)) > 20

"""Running text is read in each corpus's own form, and what is held out is not learned."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.training.language_model.made_up_text import BOOK, PARAGRAPHS, write_running_text
from training.corpora.running_text import read_texts
from training.corpora.sources import UnknownCorpusError
from training.corpora.text_key import key_of
from training.language_model.corpora import BLOCK_TEXTS, DEV_BLOCK, TEST_BLOCK, read_splits


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_running_text(folder)
    return folder


def test_the_turns_of_a_dialogue_are_the_lines_of_a_text(data_dir):
    assert read_texts("dialogue-sgd/train", data_dir) == ["A room, please.\nFor how many nights?"] * 2


def test_of_pairs_the_english_side_is_read_once(data_dir):
    assert read_texts("tatoeba/en-es/train", data_dir) == ["Hello.", "The cat sleeps."]


def test_of_the_written_sentences_the_english_side_is_read_once():
    texts = read_texts("written/parallel", None)
    assert "My knee is swollen." in texts
    assert len(texts) == len(set(texts)) > 20_000


def test_a_source_that_is_listed_twice_is_learned_twice(data_dir):
    once, twice = (read_splits(["dialogue-sgd/train"] * times, data_dir)["dialogue-sgd/train"] for times in (1, 2))
    assert twice.train == once.train * 2


def test_a_book_and_the_penn_treebank_are_one_text(data_dir):
    assert read_texts("shakespeare/input", data_dir) == [BOOK]
    (text,) = read_texts("ptb/valid", data_dir)
    assert text.split("\n")[:2] == ["it was <unk>"] * 2


def test_what_project_gutenberg_sets_around_a_book_is_no_part_of_it(tmp_path):
    (tmp_path / "war-and-peace").mkdir()
    book = "\ufeffTerms.\r\n*** START OF IT ***\r\n\r\nWell,\r\nPrince.\n\n\n\nSo.\n*** END OF IT ***\nTerms."
    (tmp_path / "war-and-peace" / "warandpeace.txt").write_bytes(book.encode())
    assert read_texts("war-and-peace/warandpeace", tmp_path) == ["Well,\nPrince.\n\nSo."]


def test_an_unknown_source_is_named(data_dir):
    with pytest.raises(UnknownCorpusError, match="imaginary/text"):
        read_texts("imaginary/text", data_dir)


def test_whole_blocks_of_paragraphs_are_held_out(data_dir, tmp_path):
    texts = [f"Paragraph {number}." for number in range(BLOCK_TEXTS * 100)]
    (tmp_path / "lm-english").mkdir()
    (tmp_path / "lm-english" / "help.txt").write_text("\n".join(texts), encoding="utf-8")
    split = read_splits(["lm-english/help"], tmp_path)["lm-english/help"]
    assert split.dev == texts[DEV_BLOCK * BLOCK_TEXTS :][:BLOCK_TEXTS]
    assert split.test == texts[TEST_BLOCK * BLOCK_TEXTS :][:BLOCK_TEXTS]
    assert len(split.train) == len(texts) - 2 * BLOCK_TEXTS


def test_what_says_the_same_as_a_held_out_text_is_not_learned(data_dir):
    splits = read_splits(["lm-english/help", "tatoeba/en-es/train"], data_dir)
    held_out = {key_of(text) for split in splits.values() for text in (*split.dev, *split.test)}
    assert held_out
    assert held_out.isdisjoint(key_of(text) for split in splits.values() for text in split.train)
    assert set(PARAGRAPHS) > set(splits["lm-english/help"].train)


def test_the_end_of_a_book_is_held_out(data_dir):
    split = read_splits(["shakespeare/input"], data_dir)["shakespeare/input"]
    assert "".join([*split.train, *split.dev, *split.test]) == BOOK
    assert len(split.test[0]) == pytest.approx(0.05 * len(BOOK), rel=0.3)


def test_the_penn_treebank_has_its_own_split(data_dir):
    split = read_splits(["ptb/train"], data_dir)["ptb/train"]
    assert [part[0].split("\n")[0] for part in (split.train, split.dev, split.test)] == [
        "no it was n't", "it was <unk>", "it was N <unk>",
    ]  # fmt: skip

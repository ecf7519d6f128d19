from __future__ import annotations

import gzip

import pytest

from service.text.spans import spans_of
from training.corpora.columns import blocks, read_columns
from training.corpora.examples import TaggedSentence

IOB1 = "The I-ORG\nMad I-ORG\nCapsule I-ORG\n\nParis B-LOC\nFrance B-LOC\nrain O\n"


def write(tmp_path, content, name="sample.conll"):
    path = tmp_path / name
    path.write_bytes(content.encode())
    return path


def test_columns_are_taken_by_number_and_tags_stay_as_written(tmp_path):
    sentences = read_columns(write(tmp_path, IOB1), {"word": 0, "ner": 1}, separator=" ")
    assert [list(sentence.words) for sentence in sentences] == [["The", "Mad", "Capsule"], ["Paris", "France", "rain"]]
    assert sentences[1].tags == {"ner": ["B-LOC", "B-LOC", "O"]}
    assert [len(spans_of(sentence.tags["ner"])) for sentence in sentences] == [1, 2]


def test_several_layers_and_compressed_files(tmp_path):
    path = tmp_path / "sample.conll.gz"
    path.write_bytes(gzip.compress(b"Iraq\tNNP\tB-geo\n"))
    (sentence,) = read_columns(path, {"word": 0, "xpos": 1, "ner": 2})
    assert sentence == TaggedSentence(words=["Iraq"], tags={"xpos": ["NNP"], "ner": ["B-geo"]})


@pytest.mark.parametrize("blank", ["\n", "\t\n", " \t \n", "\r\n", "\n\n\n"])
def test_a_line_of_white_space_ends_a_sentence(tmp_path, blank):
    path = write(tmp_path, f"a\tO\n{blank}b\tO\n")
    assert [list(sentence.words) for sentence in read_columns(path, {"word": 0, "ner": 1})] == [["a"], ["b"]]


def test_comments_are_passed_over_and_a_block_of_them_is_no_sentence(tmp_path):
    path = write(tmp_path, "# newdoc\n\n# text = #1 hit\n1\t#\tO\t-\n2\thit\tO\t-\n")
    (sentence,) = read_columns(path, {"word": 1, "ner": 2}, comment="# ")
    assert sentence.words == ["#", "hit"]


def test_the_last_sentence_needs_no_blank_line_and_line_ends_are_not_words(tmp_path):
    assert list(blocks(write(tmp_path, "a\r\nb\r\n\r\nc"))) == [["a", "b"], ["c"]]


def test_a_line_with_too_few_columns_is_named(tmp_path):
    path = write(tmp_path, "good\tO\n\nbad\n")
    with pytest.raises(ValueError, match=r"sample.conll: a line with too few columns in \['bad'\]"):
        read_columns(path, {"word": 0, "ner": 1})


def test_words_and_tags_must_match():
    with pytest.raises(ValueError, match="2 words but 1 upos tags"):
        TaggedSentence(words=["a", "b"], tags={"upos": ["X"]})

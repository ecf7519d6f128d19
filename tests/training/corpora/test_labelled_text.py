from __future__ import annotations

import gzip

import pytest

from tests.training.corpora.made_up_texts import write
from training.corpora.labelled_text import (
    LabelledText,
    polarity_target,
    read_lines,
    read_texts,
    text_corpora,
    with_ratings,
    without,
)
from training.corpora.sources import CorpusUnavailableError
from training.corpora.text_key import key_of


def text(content: str, *target: float, source: str = "mine") -> LabelledText:
    return LabelledText(text=content, target=target, source=source)


def test_a_line_is_a_label_and_a_text_that_may_hold_tabs(tmp_path):
    write(tmp_path / "mine" / "train.tsv", "ham\tHello\tthere.\nspam\tWin!\n")
    assert read_lines("mine", "train", tmp_path) == [("ham", "mine", "Hello\tthere."), ("spam", "mine", "Win!")]


def test_a_listed_corpus_may_name_a_source_in_each_line(tmp_path):
    write(tmp_path / "sentiment-general" / "dev.tsv", "positive\ttweets\tWow!\n")
    assert read_lines("sentiment-general", "dev", tmp_path) == [("positive", "tweets", "Wow!")]


def test_a_compressed_file_is_read_too(tmp_path):
    (tmp_path / "mine").mkdir()
    with gzip.open(tmp_path / "mine" / "train.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("ham\tHello.\n")
    assert read_lines("mine", "train", tmp_path) == [("ham", "mine", "Hello.")]


@pytest.mark.parametrize(
    ("corpus", "line", "form"),
    [
        ("mine", "no label", "label TAB text"),
        ("mine", "\ttext", "label TAB text"),
        ("sentiment-general", "positive\ttext", "label TAB source TAB text"),
    ],
)
def test_a_line_of_another_form_is_named(tmp_path, corpus, line, form):
    write(tmp_path / corpus / "train.tsv", f"positive\ttweets\tfine\n{line}\n")
    with pytest.raises(ValueError, match=rf"train.tsv:2: not {form}$"):
        read_lines(corpus, "train", tmp_path)


def test_a_file_that_is_not_there_is_named_with_where_to_get_it(tmp_path):
    with pytest.raises(CorpusUnavailableError, match=r"spam/sms/train.tsv is not there.*archive.ics.uci.edu"):
        read_lines("spam/sms", "train", tmp_path)
    with pytest.raises(CorpusUnavailableError, match=r"mine/train.tsv is not there, and it has no public download$"):
        read_lines("mine", "train", tmp_path)


def test_one_label_is_a_distribution_and_several_are_flags(tmp_path):
    write(tmp_path / "mine" / "train.tsv", "b\tone\n")
    write(tmp_path / "mine" / "dev.tsv", "a,b\ttwo\nb\tone\n")
    labels = ("a", "b", "c")
    assert read_texts("mine", "train", labels, data_dir=tmp_path) == [text("one", 0, 1, 0)]
    assert read_texts("mine", "dev", labels, multi_label=True, data_dir=tmp_path) == [
        text("two", 1, 1, 0),
        text("one", 0, 1, 0),
    ]
    with pytest.raises(ValueError, match="mine/dev: unknown label 'a,b'; known: a, b, c"):
        read_texts("mine", "dev", labels, data_dir=tmp_path)


def test_the_label_is_the_likeliest():
    assert text("x", 0.2, 0.5, 0.3).label == 1


@pytest.mark.parametrize(("rating", "likeliest"), [(-4, 0), (-1, 0), (0, 1), (0.2, 1), (1, 2), (4, 2)])
def test_a_rating_is_a_distribution_over_negative_neutral_and_positive(rating, likeliest):
    target = polarity_target(rating)
    assert sum(target) == pytest.approx(1, abs=1e-3)
    assert max(range(3), key=target.__getitem__) == likeliest
    assert polarity_target(-rating) == pytest.approx(target[::-1])


def test_ratings_are_found_by_key():
    found = with_ratings([text("So good!", 0, 0, 1), text("So what", 0, 1, 0)], {"sogood": 3.0})
    assert found == [text("So good!", *polarity_target(3.0)), text("So what", 0, 1, 0)]


def test_texts_that_differ_in_case_or_punctuation_are_one():
    assert key_of("It's  GREAT!") == key_of("its great") == "itsgreat"
    assert key_of("It's good") != key_of("It's great")


def test_what_is_held_out_is_not_learned_from():
    texts = [text("So bad.", 1, 0), text("So good.", 0.5, 0.5), text("👍", 0, 1)]
    assert without(texts, ["so bad!", "👎"]) == texts[1:]
    assert without(texts, []) == texts


def test_every_listed_corpus_has_its_terms():
    for corpus in text_corpora().values():
        assert corpus.title
        assert corpus.licence
        assert corpus.source
        assert corpus.commercial_use or "research" in corpus.licence

"""Texts with a polarity that were written for the project."""

from __future__ import annotations

import pytest

from training.corpora.written_texts import read_written

CORPUS = "written-sentiment"
LABELS = ("negative", "neutral", "positive")


def test_every_tenth_line_is_of_dev_and_the_file_is_the_source(tmp_path):
    lines = [f"{LABELS[number % 3]}\ttext {number}\n" for number in range(21)]
    (tmp_path / "sentiment").mkdir()
    (tmp_path / "sentiment" / "films.tsv").write_text("".join(lines), encoding="utf-8")
    dev, train = (read_written(CORPUS, part, LABELS, folder=tmp_path) for part in ("dev", "train"))
    assert [text.text for text in dev] == ["text 0", "text 10", "text 20"]
    assert len(train) == 18
    assert {text.source for text in (*dev, *train)} == {"films"}
    assert train[0].target == (0, 1, 0)


def test_a_text_may_have_several_labels(tmp_path):
    (tmp_path / "emotion").mkdir()
    (tmp_path / "emotion" / "here.tsv").write_text("joy,love\tmy dog\n", encoding="utf-8")
    (text,) = read_written("written-emotion", "dev", ("joy", "fear", "love"), multi_label=True, folder=tmp_path)
    assert text.target == (1, 0, 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("negative", r"films\.tsv:2: not label TAB text"),
        ("bad\tawful", "train: unknown label 'bad'"),
        ("\tawful", "label ''"),
    ],
)
def test_a_line_of_another_form_is_told(tmp_path, line, message):
    (tmp_path / "sentiment").mkdir()
    (tmp_path / "sentiment" / "films.tsv").write_text(f"positive\tfine\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_written(CORPUS, "train", LABELS, folder=tmp_path)


def test_the_files_of_the_project_have_all_labels_in_both_parts():
    for part in ("train", "dev"):
        assert {text.label for text in read_written(CORPUS, part, LABELS)} == {0, 1, 2}

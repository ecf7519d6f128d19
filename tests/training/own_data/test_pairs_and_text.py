"""Sentence pairs and running text of one's own: what is left out or refused, and the split."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from training.own_data.errors import DataError
from training.own_data.pairs import PairData, PairOptions, read_pair_splits
from training.own_data.running_text import read_running_text

PAIRS = [f"Page {i} is open.\tLa página {i} está abierta." for i in range(200)]


def written(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(path: Path, *, dev=None, test=None, languages: str | None = "en-es", **options) -> PairData:
    return read_pair_splits(path, dev, test, PairOptions(languages=languages, **options), 1)


def refusal(path: Path, **options) -> str:
    with pytest.raises(DataError) as raised:
        read(path, **options)
    return str(raised.value)


def test_pairs_are_split_and_copies_stay_together(tmp_path):
    data = read(written(tmp_path, "pairs.tsv", PAIRS + PAIRS))
    sides = [{pair.source for pair in part} for part in (data.train, data.dev, data.test)]
    assert [len(side) for side in sides] == [140, 30, 30]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert data.train[0].target_language == "es"


def test_a_header_names_the_languages(tmp_path):
    data = read(written(tmp_path, "pairs.tsv", ["en\tes", *PAIRS]), languages=None)
    assert data.direction == "en-es"
    assert sum(map(len, (data.train, data.dev, data.test))) == 200
    records = [f'{{"en": "Page {i}.", "es": "Página {i}."}}' for i in range(200)]
    assert read(written(tmp_path, "pairs.jsonl", records), languages=None).direction == "en-es"


@pytest.mark.parametrize("languages", [None, "en", "en-en", "english-spanish"])
def test_languages_must_be_known(tmp_path, languages):
    assert "which languages are these" in refusal(written(tmp_path, "pairs.tsv", PAIRS), languages=languages)


def test_pairs_that_teach_nothing_are_left_out_with_their_lines(tmp_path):
    useless = ["Only one side\t ", "One and the same sentence\tone and the same sentence."]
    data = read(written(tmp_path, "pairs.tsv", useless + PAIRS))
    assert "pairs.tsv, line 1: a side is empty, left out." in data.notes
    assert "pairs.tsv, line 2: both sides are the same sentence, left out." in data.notes


def test_too_few_pairs_and_lines_without_a_translation_are_refused(tmp_path):
    assert "has 20 pairs to learn from; 100 are the fewest" in refusal(written(tmp_path, "a.tsv", PAIRS[:20]))
    assert "a.tsv, line 3: 1 cell where" in refusal(written(tmp_path, "a.tsv", [*PAIRS[:2], "alone", *PAIRS]))
    assert "no line with a text on both sides" in refusal(written(tmp_path, "a.tsv", ["\tx", "y\t"]))


def test_pairs_of_the_test_file_are_not_learned_from(tmp_path):
    test = written(tmp_path, "test.tsv", PAIRS[:10])
    data = read(written(tmp_path, "pairs.tsv", PAIRS), test=test)
    assert len(data.test) == 10
    assert len(data.train) + len(data.dev) == 190
    assert any("10 pairs also in the dev or test file" in note for note in data.notes)


def test_text_is_read_by_paragraphs_or_by_lines(tmp_path):
    lines = [f"line {i} " + "word " * 20 for i in range(150)]
    by_line = read_running_text(written(tmp_path, "a.txt", lines), encoding=None, seed=1)
    assert len(by_line.split.train) + len(by_line.split.dev) + len(by_line.split.test) == 150
    spaced = [line for pair in zip(lines[::2], lines[1::2], [""] * 75, strict=True) for line in pair]
    by_paragraph = read_running_text(written(tmp_path, "b.txt", spaced), encoding=None, seed=1)
    assert sum(map(len, (by_paragraph.split.train, by_paragraph.split.dev, by_paragraph.split.test))) == 75
    assert "\n" in by_paragraph.split.train[0]
    assert "75 texts (paragraphs between blank lines), 3,300 words" in by_paragraph.notes[0]


def test_copies_of_a_paragraph_stay_on_one_side(tmp_path):
    lines = [f"line {i} " + "word " * 20 for i in range(100)] * 2
    split = read_running_text(written(tmp_path, "a.txt", lines), encoding=None, seed=1).split
    assert not set(split.train) & {*split.dev, *split.test}


def test_too_little_text_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a.txt has 6 words in 3 .*2,000 words in 20 of them are the fewest"):
        read_running_text(written(tmp_path, "a.txt", ["two words"] * 3), encoding=None, seed=1)

"""Labelled texts of one's own: what is left out or refused, and the split."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("torch")

from training.own_data.errors import DataError
from training.own_data.labelled import LabelledData, TableOptions, read_splits
from training.own_data.split import split

TEXTS = {"good": "fine weather", "bad": "heavy rain"}


def rows(count: int = 20, labels=tuple(TEXTS)) -> list[tuple[str, str]]:
    return [(f"{TEXTS.get(label, label)} {i}", label) for i in range(count) for label in labels]


def write(path: Path, content: list[tuple[str, str]]) -> Path:
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in content), encoding="utf-8")
    return path


def read(folder: Path, content, *, dev=None, test=None, seed: int = 1, **options) -> LabelledData:
    path = write(folder / "train.tsv", content)
    return read_splits(path, dev, test, TableOptions(**options), seed)


def refusal(folder: Path, content, **options) -> str:
    with pytest.raises(DataError) as raised:
        read(folder, content, **options)
    return str(raised.value)


def test_a_split_has_every_label_in_like_shares(tmp_path):
    data = read(tmp_path, rows(40) + rows(10, ("rare",)))
    assert data.labels == ("bad", "good", "rare")
    assert Counter(each.label for each in data.test) == {"bad": 6, "good": 6, "rare": 2}
    assert Counter(each.label for each in data.dev) == {"bad": 6, "good": 6, "rare": 2}
    assert len(data.train) == 90 - 28
    assert any("14 for dev and 14 for test were set aside, by label, with seed 1" in note for note in data.notes)


def test_the_same_seed_splits_alike_whatever_the_order_and_another_seed_otherwise(tmp_path):
    first, turned = read(tmp_path, rows()), read(tmp_path, rows()[::-1])
    other = read(tmp_path, rows(), seed=2)
    sets = [{each.text for each in data.test} for data in (first, turned, other)]
    assert sets[0] == sets[1] != sets[2]


def test_copies_in_any_spelling_stay_on_one_side(tmp_path):
    data = read(tmp_path, [*rows(), *((text.upper() + "!", label) for text, label in rows())])
    sides = [{each.key for each in part} for part in (data.train, data.dev, data.test)]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    assert sum(map(len, (data.train, data.dev, data.test))) == 80


def test_items_of_one_key_stay_together_even_across_strata():
    parts = split(list(range(40)), [i % 20 for i in range(40)], ["a" if i < 20 else "b" for i in range(40)], 2, 1)
    where = {item % 20: set() for item in range(40)}
    for place, part in enumerate(parts):
        for item in part:
            where[item % 20].add(place)
    assert all(len(places) == 1 for places in where.values())
    assert [len(part) for part in parts] == [28, 6, 6]


def test_empty_texts_and_labels_are_left_out_with_their_lines(tmp_path):
    data = read(tmp_path, [("", "good"), ("  ", "bad"), *rows(), ("no label", "")])
    assert "train.tsv, lines 2 and 3: 2 empty texts left out." in data.notes
    assert "train.tsv, line 44: no label, left out." in data.notes
    assert "no row has both a text (column 'text') and a label" in refusal(tmp_path, [("", "good"), ("!", "")])


def test_one_class_is_refused(tmp_path):
    found = refusal(tmp_path, [(text, "good") for text, _ in rows()])
    assert "all 40 texts have the label 'good'. A classifier needs two labels." in found


def test_labels_with_few_examples_are_named_with_their_lines(tmp_path):
    content = [*rows(), ("once", "odd"), ("twice", "odd")]
    assert "5 examples at least, but 'odd' has 2 examples (lines 42 and 43)" in refusal(tmp_path, content)
    data = read(tmp_path, content, drop_rare_labels=True)
    assert data.labels == ("bad", "good")
    assert "Left out as rare: 'odd'." in data.notes
    assert "fewer than two labels have 5 examples" in refusal(tmp_path, rows(2), drop_rare_labels=True)


def test_labels_that_differ_in_capitals_only_are_named(tmp_path):
    said = "'GOOD' and 'good' differ in capitals only: write them alike if they are one label."
    assert refusal(tmp_path, [*rows(), ("fine", "GOOD")]).endswith(said)
    data = read(tmp_path, rows(40) + rows(10, ("GOOD",)))
    assert f"train.tsv: {said}" in data.notes
    assert not [note for note in read(tmp_path, rows()).notes if "capitals" in note]


def test_a_column_of_as_many_labels_as_rows_is_no_label(tmp_path):
    content = [(f"text {i} of all", f"id{i}") for i in range(60)]
    assert "60 different labels in 60 rows, for example 'id0'" in refusal(tmp_path, content)


def test_equal_texts_with_other_labels_are_told(tmp_path):
    data = read(tmp_path, [*rows(), ("Fine weather, 3", "bad")])
    assert any(
        "1 text comes again with another label, for example lines 8 and 42 (bad / good)" in n for n in data.notes
    )


def test_texts_of_the_test_file_are_not_learned_from(tmp_path):
    test = write(tmp_path / "test.tsv", [("fine weather 3!", "good"), ("rain", "bad")])
    data = read(tmp_path, rows(), test=test)
    assert "fine weather 3" not in {each.text for each in (*data.train, *data.dev)}
    assert any("train.tsv, line 8: 1 text also in the dev or test file" in note for note in data.notes)
    assert [each.label for each in data.test] == ["good", "bad"]


def test_an_unknown_label_of_the_test_file_is_named(tmp_path):
    test = write(tmp_path / "test.tsv", [("rain", "bad"), ("snow", "cold")])
    assert "test.tsv, line 3: the label 'cold' is not among those to learn" in refusal(tmp_path, rows(), test=test)


def test_copies_of_one_text_alone_cannot_be_split(tmp_path):
    content = [("the same", "good")] * 9 + [("other words", "bad")] * 9
    assert "too few different texts" in refusal(tmp_path, content)


def both(count: int = 10) -> list[tuple[str, str]]:
    """Texts that are good and bad at once."""
    return [(f"rain and sun {i}", "good,bad") for i in range(count)]


def test_several_labels_a_cell_are_found_and_named(tmp_path):
    data = read(tmp_path, [*rows(), *both()])
    assert data.multi_label
    assert data.labels == ("bad", "good")
    assert {each.labels for each in data.train} == {("good",), ("bad",), ("good", "bad")}
    assert "train.tsv: ',' separates several labels of a text (--label-separator none reads a cell as one label)." in (
        data.notes
    )
    assert any(note.startswith("Several labels a text: 10 texts have more than one.") for note in data.notes)
    as_one = read(tmp_path, [*rows(), *both()], label_separator="none")
    assert as_one.labels == ("bad", "good", "good,bad")
    assert not as_one.multi_label


def test_a_comma_within_a_name_separates_nothing(tmp_path):
    content = [*rows(), *((f"a cake {i}", "food, drink") for i in range(10))]
    assert read(tmp_path, content).labels == ("bad", "food, drink", "good")
    named = read(tmp_path, content, label_separator=",")
    assert named.labels == ("bad", "drink", "food", "good")
    assert named.multi_label


def test_json_lists_are_labels_and_an_empty_one_is_none(tmp_path):
    labels = [["good"], ["bad"], ["good", "bad", "good"], []]
    lines = [{"text": f"words {i} of {k}", "labels": each} for i in range(10) for k, each in enumerate(labels)]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    data = read_splits(path, None, None, TableOptions(), 1)
    assert {each.labels for each in data.train} == {("good",), ("bad",), ("good", "bad"), ()}
    assert any("10 texts have more than one, 10 none" in note for note in data.notes)
    path.write_text('{"text": "hi", "labels": [{"name": "good"}]}\n' * 9, encoding="utf-8")
    with pytest.raises(DataError, match="line 1: a list of labels holds texts"):
        read_splits(path, None, None, TableOptions(), 1)


def test_rare_labels_of_several_are_refused_or_left_out_of_their_texts(tmp_path):
    content = [*rows(), *both(), ("fine but odd", "good,odd"), ("odd alone", "odd")]
    assert "'odd' has 2 examples (lines 52 and 53)" in refusal(tmp_path, content, label_separator=",")
    data = read(tmp_path, content, label_separator=",", drop_rare_labels=True)
    texts = {each.text: each.labels for part in (data.train, data.dev, data.test) for each in part}
    assert texts["fine but odd"] == ("good",)
    assert "odd alone" not in texts


def test_a_label_of_all_texts_is_refused(tmp_path):
    content = [(text, f"any,{label}") for text, label in rows()]
    assert "every text has the label 'any', so it says nothing" in refusal(tmp_path, content, label_separator=",")


def test_held_out_texts_of_several_labels_need_such_texts_to_learn_from(tmp_path):
    test = tmp_path / "test.jsonl"
    test.write_text('{"text": "sun, then rain", "label": ["good", "bad"]}\n' * 3, encoding="utf-8")
    found = refusal(tmp_path, rows(), test=test)
    assert "test.jsonl, line 1: 2 labels, but each text to learn from has one" in found

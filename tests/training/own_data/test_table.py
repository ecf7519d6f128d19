"""Tables as people have them: each fault gets a sentence that says what and where."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from training.own_data.columns import find_columns
from training.own_data.errors import DataError, lines_text
from training.own_data.table import read_table
from training.own_data.text_file import MAX_BYTES, read_lines


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path, **options) -> str:
    with pytest.raises(DataError) as raised:
        read_table(path, **options)
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,label\nhello,good\n\nbye,bad\n"),
        ("a.csv", "text;label\nhello;good\nbye;bad\n"),
        ("a.tsv", "text\tlabel\nhello\tgood\nbye\tbad"),
        ("a.jsonl", '{"text": "hello", "label": "good"}\n{"text": "bye", "label": "bad"}\n'),
        ("a.csv", "text,label\r\nhello,good\r\nbye,bad\r\n"),
        ("a.csv", "\ufefftext,label\nhello,good\nbye,bad\n".encode()),
        ("a.csv", "text,label\nhello,good\nbye,bad\n".encode("utf-16")),
        ("a.csv.gz", gzip.compress(b"text,label\nhello,good\nbye,bad\n", mtime=0)),
    ],
)
def test_all_forms_give_the_same_columns(tmp_path, name, content):
    columns = find_columns(read_table(written(tmp_path, name, content)))
    assert columns.names == ("text", "label")
    assert [[row.cells[columns.first], row.cells[columns.second]] for row in columns.rows] == [
        ["hello", "good"],
        ["bye", "bad"],
    ]


def test_a_text_in_quotation_marks_may_have_commas_and_line_breaks_and_ends_on_its_line(tmp_path):
    table = read_table(written(tmp_path, "a.csv", 'text,label\n"one, two\nthree",good\nlast,bad\n'))
    assert [(row.line, row.cells[0]) for row in table.rows] == [(1, "text"), (3, "one, two\nthree"), (4, "last")]


def test_columns_without_a_header_are_found_by_their_contents(tmp_path):
    lines = "".join(f"{i}\tham\tmessage number {i}\n{i}\tspam\tbuy now {i}\n" for i in range(20))
    columns = find_columns(read_table(written(tmp_path, "a.tsv", lines)))
    assert (columns.first, columns.second, columns.names) == (2, 1, ("3", "2"))
    assert len(columns.rows) == 40


def test_a_header_of_unknown_names_is_seen_by_its_label(tmp_path):
    lines = "wer,was\n" + "".join(f"anna,ich sehe {i} hunde\nben,er hat {i} katzen\n" for i in range(10))
    columns = find_columns(read_table(written(tmp_path, "a.csv", lines)))
    assert columns.names == ("was", "wer")
    assert len(columns.rows) == 20


def test_named_columns_win(tmp_path):
    table = read_table(written(tmp_path, "a.csv", "text,label,body,queue\na,x,b,1\nc,y,d,2\n"))
    assert find_columns(table, text="body", label="queue").names == ("body", "queue")
    assert find_columns(table, text="3").names == ("body", "label")
    with pytest.raises(DataError, match="no column 'subject' for --text-column; its columns are text, label"):
        find_columns(table, text="subject")


def test_a_table_without_anything_like_a_label_names_its_columns(tmp_path):
    rows = "".join(f"{i},word{i}\n" for i in range(9))
    with pytest.raises(DataError, match="no column looks like a label; the columns are id, message"):
        find_columns(read_table(written(tmp_path, "a.csv", f"id,message\n{rows}")))


def test_a_line_with_too_many_cells_is_named(tmp_path):
    path = written(tmp_path, "a.csv", "text,label\nhello,good\nwell, well,bad\nbye,bad\n")
    assert "a.csv, line 3: 3 cells where the other rows have 2" in refusal(path)
    table = read_table(path, skip_malformed=True)
    assert len(table.rows) == 3
    assert table.notes == ["Left out as malformed: line 3."]


def test_a_missing_quotation_mark_is_named(tmp_path):
    assert "a.csv, line 3: unexpected end of data; is a quotation mark" in refusal(
        written(tmp_path, "a.csv", 'text,label\nhello,good\n"bye,bad\n')
    )


def test_a_line_that_is_no_json_object_is_named(tmp_path):
    content = '{"text": "a", "label": "x"}\n{"text": "b"\n[1]\n'
    assert "a.jsonl, lines 2 and 3: no JSON object (Expecting" in refusal(written(tmp_path, "a.jsonl", content))
    assert len(read_table(tmp_path / "a.jsonl", skip_malformed=True).rows) == 1


def test_one_column_other_forms_and_nothing_are_refused(tmp_path):
    assert "one column only" in refusal(written(tmp_path, "a.csv", "hello\nbye\n"))
    assert "JSON Lines are read" in refusal(written(tmp_path, "a.json", "[]"))
    assert "what form is this" in refusal(written(tmp_path, "a.xlsx", "PK"))
    assert refusal(written(tmp_path, "b.csv", " \n")).endswith("b.csv is empty.")
    assert refusal(tmp_path / "none.csv").endswith("none.csv does not exist.")
    assert refusal(written(tmp_path, "c.csv.gz", b"no gzip")).startswith(f"{tmp_path}/c.csv.gz cannot be read")
    (tmp_path / "d.csv").mkdir()
    assert refusal(tmp_path / "d.csv").endswith("d.csv is no file.")


def test_another_encoding_is_named_and_read_if_asked_for(tmp_path):
    path = written(tmp_path, "a.csv", "text,label\ncafé au lait,good\nbye,bad\n".encode("cp1252"))
    assert "a.csv, line 2: not UTF-8. If 'café au lait,good' reads right, add --encoding cp1252" in refusal(path)
    assert read_table(path, encoding="cp1252").rows[1].cells == ["café au lait", "good"]
    assert "There is no encoding 'klingon'" in refusal(path, encoding="klingon")
    assert "is not in ascii" in refusal(path, encoding="ascii")


def test_mixed_encodings_are_told_by_line(tmp_path):
    content = b"text,label\n" + "naïve,x\n".encode() + "café,x\n".encode("cp1252") + b"plain,y\n"
    found = refusal(written(tmp_path, "a.csv", content))
    assert "mixes encodings: line 3 not in UTF-8 (perhaps cp1252: 'café,x'), but line 2 in UTF-8" in found


def test_a_file_that_is_no_text_is_named(tmp_path):
    assert "a.csv, line 2: a byte of value 0" in refusal(written(tmp_path, "a.csv", b"text,label\na\0b,x\n"))


def test_two_gigabytes_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.truncate(2 * 2**30)  # a hole, which takes no room
    found = refusal(path)
    assert "big.csv has 2.0 GB, and at most 0.5 GB are read" in found
    assert "head -n" in found


def test_a_compressed_file_may_not_grow_beyond_the_limit(tmp_path):
    path = tmp_path / "a.txt.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(MAX_BYTES // 2**20 + 1):
            file.write(bytes(2**20))
    with pytest.raises(DataError, match=r"more than 0\.5 GB"):
        read_lines(path)


def test_lines_in_words():
    assert lines_text([3]) == "line 3"
    assert lines_text([3, 9, 12]) == "lines 3, 9 and 12"
    assert lines_text(list(range(1, 46))) == "lines 1, 2, 3, 4, 5 and 40 more"

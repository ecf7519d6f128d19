from __future__ import annotations

import pytest

from training.corpora.headwords import DIGITS, read_headwords
from training.corpora.parallel import read_sets

ENTRIES = (  # an English word and its entry, as FreeDict has them
    ("bark", "bark //bɑːk// <n>\n1. corteza\nThe outer covering of a tree.\n2. ladrido\nThe sound of a dog.\n"),
    ("bark", "bark //bɑːk// <v>\nladrar, aullar\n(intransitive) To make a short, loud sound.\n"),
    ("bee", "bee //ˈbiː// <n>\n1. abeja\nA flying insect.\n"),
    ("bee fly", "bee fly /bˈiː/ <n>\nbombílido\nA fly.\n"),
    ("night", "night <n>\nnoche (f)\n"),
)
DING = (
    "# A comment",
    "Biene {f} [zool.] | Bienen {pl} | fleißig wie eine Biene :: bee | bees | busy as a bee",
    "Brennraum {m}; Labor {n} :: laboratory; lab [coll.]",
    "Labor {n} | Labors {pl} :: laboratory",
    "bellen; kläffen {vi} :: to bark",
)


def write(folder, path, lines):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def number(value):
    digits = "".join(DIGITS)
    return (number(value // 64) if value >= 64 else "") + digits[value % 64]


@pytest.fixture
def data_dir(tmp_path):
    index, content = [], b""
    for word, entry in ENTRIES:
        index.append(f"{word}\t{number(len(content))}\t{number(len(entry.encode()))}")
        content += entry.encode()
    write(tmp_path, "headwords/eng-spa.index", index)
    (tmp_path / "headwords" / "eng-spa.dict").write_bytes(content)
    write(tmp_path, "headwords/deu-eng.txt", DING)
    return tmp_path


def test_a_dictionary_gives_all_translations_of_the_words_asked_for(data_dir):
    found = read_headwords("es", {"bark", "bee", "night"}, data_dir)
    assert found == {
        "bark": ["corteza", "ladrido"],
        "to bark": ["ladrar", "aullar"],
        "bee": ["abeja"],
        "night": ["noche"],
    }


def test_lines_of_ding_are_cut_at_their_bars(data_dir):
    found = read_headwords("de", {"bee", "bees", "laboratory", "lab", "bark"}, data_dir)
    assert found["bees"] == ["Bienen"]
    assert found["laboratory"] == found["lab"] == ["Brennraum", "Labor"]
    assert found["to bark"] == ["bellen", "kläffen"]


def test_dictionaries_have_no_sets_of_sentences(data_dir):
    assert [read_sets(("headwords",), ("en-es",), split, data_dir) for split in ("train", "dev", "test")] == [
        [],
        [],
        [],
    ]

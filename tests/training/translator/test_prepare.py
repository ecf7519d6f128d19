"""Preparing pairs: what is dropped, what is hidden, and the file that runs read again."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sacrebleu")

from service.bundle import SUBWORDS
from service.text.placeholders.masking import SYMBOLS
from tests.training.corpora.made_up_pairs import write_pairs
from training.config import FitConfig
from training.corpora.parallel import Pair
from training.translator.config import TranslatorRun
from training.translator.pack import pack_pairs, pack_weights
from training.translator.prepare import PAIRS, PreparedPair, is_usable, parts_of, prepare, read_prepared

CONFIG = TranslatorRun(
    name="made-up",
    version="0.0.1",
    directions=("en-de",),
    corpora=("tatoeba", "multi30k"),
    vocabulary_size=340,
    fit=FitConfig(num_epochs=1, learning_rate=0.1),
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    write_pairs(folder / "data")
    prepare(CONFIG, folder / "data", folder / "pairs")
    return folder / "pairs"


def read(folder, **choices):
    return read_prepared(folder, **{"directions": ("en-de",), "max_tokens": 50, **choices})


def test_numbers_and_addresses_are_symbols_on_both_sides(prepared):
    masked = [each.measured.pair for each in read(prepared) if "Today" in each.measured.pair.source]
    assert masked
    for pair in masked:
        symbols = [[each for each in text if each in SYMBOLS] for text in (pair.source, pair.target)]
        assert symbols[0] == symbols[1] != []


def test_no_sentence_of_dev_or_test_is_among_them(prepared):
    sources = {each.measured.pair.source for each in read(prepared)}
    assert not sources & {"A man runs here.", "A man sleeps there."}
    assert sources


def test_pairs_are_read_by_language_and_length(prepared):
    assert read(prepared, directions=("en-fr",)) == []
    every = read(prepared)
    longest = max(each.measured.source_tokens for each in every)
    assert len(read(prepared, max_tokens=longest - 1)) < len(every)


def test_a_line_says_all_of_a_pair(prepared):
    for each in read(prepared):
        assert PreparedPair.of(each.line) == each


def test_parts_are_corpora_in_a_language(prepared):
    every = read(prepared)
    parts = parts_of(every)
    assert sorted(part.source for part in parts) == ["multi30k", "tatoeba"]
    assert sum(len(part.places) for part in parts) == len(every)


@pytest.mark.parametrize(
    ("source", "target"), [("", "Leer"), ("word " * 91, "Wort " * 91), ("No.", "Das ist ein sehr viel längerer Satz.")]
)
def test_empty_endless_and_unequal_pairs_are_of_no_use(source, target):
    assert not is_usable(Pair(source=source, references=(target,), target_language="de"))


def test_a_packed_run_is_read_like_the_run(prepared, tmp_path):
    pack_pairs(CONFIG, prepared, tmp_path / "pairs", num_bytes=10**6)
    assert read(tmp_path / "pairs") == read(prepared)
    assert (tmp_path / "pairs" / SUBWORDS).read_bytes() == (prepared / SUBWORDS).read_bytes()


def test_a_packed_run_keeps_a_part_of_each_source_where_all_is_too_large(prepared, tmp_path):
    pack_pairs(replace(CONFIG), prepared, tmp_path / "pairs", num_bytes=300)
    kept = read(tmp_path / "pairs")
    assert 0 < len(kept) < len(read(prepared))
    assert {each.corpus for each in kept} == {"tatoeba", "multi30k"}


def test_packed_weights_are_the_best_ones_in_half_the_bytes(prepared, tmp_path):
    weight = torch.randn(30, 30)
    torch.save({"network": {"layer": weight}}, prepared / "best.pt")
    pack_weights(prepared, tmp_path)
    packed = torch.load(tmp_path / "best.pt", weights_only=True)["network"]["layer"]
    torch.testing.assert_close(packed.float(), weight, atol=1e-2, rtol=1e-2)
    assert packed.dtype == torch.float16
    assert not (tmp_path / PAIRS).exists()


def test_pairs_into_english_have_the_sides_exchanged_and_the_subwords_of_the_run_they_start_from(prepared, tmp_path):
    write_pairs(tmp_path / "data")
    config = replace(CONFIG, directions=("de-en",), corpora=("tatoeba",), starts_from=str(prepared))
    prepare(config, tmp_path / "data", tmp_path / "pairs")
    there = read(prepared)
    back = read(tmp_path / "pairs", directions=("de-en",))
    assert {(each.measured.pair.target, each.measured.pair.source) for each in back} <= {
        (each.measured.pair.source, each.measured.pair.target) for each in there
    }
    assert back
    assert {each.measured.pair.target_language for each in back} == {"en"}
    changed = (prepared / SUBWORDS).read_bytes().replace(b"<2de>", b"<2en>")
    assert (tmp_path / "pairs" / SUBWORDS).read_bytes() == changed


def test_words_of_the_pairs_are_practised_in_both_directions(tmp_path):
    write_pairs(tmp_path)
    (tmp_path / "headwords").mkdir()
    (tmp_path / "headwords" / "deu-eng.txt").write_text("schläft :: sleeps\n", encoding="utf-8")
    for direction, expected in (("en-de", ("sleeps", "schläft")), ("de-en", ("schläft", "sleeps"))):
        config = replace(CONFIG, directions=(direction,), corpora=("tatoeba", "headwords"))
        prepare(config, tmp_path, tmp_path / direction)
        words = [
            (each.measured.pair.source, each.measured.pair.target)
            for each in read(tmp_path / direction, directions=(direction,))
            if each.corpus == "headwords"
        ]
        assert expected in words

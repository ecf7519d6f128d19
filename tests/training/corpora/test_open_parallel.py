"""Reading broad sources of sentence pairs: terms, columns, and sentences that are held out."""

from __future__ import annotations

import lzma

import pytest

from training.corpora.open_parallel import parallel_sources, read_source, sources_of, without
from training.corpora.parallel import Pair
from training.corpora.sources import CorpusUnavailableError
from training.corpora.text_key import key_of


def write(folder, name, lines):
    path = folder / "parallel" / "en-es" / f"{name}.tsv.xz"
    path.parent.mkdir(parents=True)
    path.write_bytes(lzma.compress("".join(lines).encode()))


def pair(source, target):
    return Pair(source=source, references=(target,), target_language="es")


def test_pairs_are_read_in_order(tmp_path):
    write(tmp_path, "wordpress", ["Save\tGuardar\ta.po\n", "“Quotes”\t«Comillas»\ta.po\n"])
    found = read_source(parallel_sources()["wordpress"], "en-es", tmp_path)
    assert found == [pair("Save", "Guardar"), pair("“Quotes”", "«Comillas»")]


def test_a_language_that_a_source_lacks_has_no_pairs(tmp_path):
    assert read_source(parallel_sources()["python-docs"], "en-de", tmp_path) == []


def test_a_missing_file_is_named_with_where_to_gather_it(tmp_path):
    with pytest.raises(CorpusUnavailableError, match=r"wordpress.tsv.xz is not there.*Debian wordpress"):
        read_source(parallel_sources()["wordpress"], "en-es", tmp_path)


def test_a_line_of_another_form_is_named(tmp_path):
    write(tmp_path, "wordpress", ["Save\tGuardar\ta.po\n", "Save\n"])
    with pytest.raises(ValueError, match=r"wordpress\.tsv\.xz:2: not three columns"):
        read_source(parallel_sources()["wordpress"], "en-es", tmp_path)


def test_what_ships_has_no_research_only_source():
    names = {source.name for source in sources_of(("open", "copyleft"))}
    assert names.isdisjoint({"newstest", "openstax-es", "wmt-chat"})
    assert len(names) == len(parallel_sources()) - 3


def test_every_source_has_its_terms_and_origin():
    for source in parallel_sources().values():
        assert source.licence
        assert source.origin
        assert set(source.sha256) <= {"es", "de", "fr"}


def test_held_out_sentences_are_found_whatever_their_punctuation_and_on_either_side():
    held_out = {key_of("The sun sets, slowly."), key_of("Buenas noches a todos")}
    kept = pair("The moon rises.", "Sale la luna.")
    others = [pair("the sun sets slowly", "El sol…"), pair("Good night, all!", "¡Buenas noches a todos!")]
    assert without([kept, *others], held_out) == [kept]

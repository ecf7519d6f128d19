from __future__ import annotations

import dataclasses
import gzip
import hashlib
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from training.corpora import gmb
from training.corpora.sources import (
    ChecksumError,
    CorpusError,
    CorpusUnavailableError,
    Source,
    UnknownCorpusError,
    cache_dir,
    fetch,
    known_sources,
    locate,
    write_atomically,
)

CONTENT = b"word\tO\n"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """No test may see the developer's corpora, nor leave anything in the real cache."""
    monkeypatch.delenv("CORPORA_DIR", raising=False)
    monkeypatch.setenv("CORPORA_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def published(tmp_path) -> Iterator[Source]:
    """A corpus on a web server of our own."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "train.conll").write_bytes(CONTENT)
    (site / "train.conll.gz").write_bytes(gzip.compress(CONTENT))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Source(
            name="toy/train",
            file=Path("toy/train.conll"),
            title="Toy",
            licence="CC0",
            homepage="http://127.0.0.1",
            url=f"http://127.0.0.1:{server.server_port}/train.conll",
            sha256=hashlib.sha256(CONTENT).hexdigest(),
        )
        server.shutdown()
        thread.join()


def test_the_list_names_public_addresses_checksums_and_licences():
    for source in known_sources().values():
        assert source.licence
        assert source.title
        assert source.sha256 is None or len(source.sha256) == 64
        if source.url is None:
            assert "{" not in (source.advice or "{")
        else:
            assert source.url.startswith("https://")
            assert source.sha256


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_data_folder_comes_first_compressed_or_not(tmp_path, suffix):
    path = tmp_path / "wnut17" / f"train.conll{suffix}"
    write_atomically(path, CONTENT)
    assert locate("wnut17/train", data_dir=tmp_path) == path


def test_the_data_folder_may_be_named_by_the_environment(tmp_path, monkeypatch):
    write_atomically(tmp_path / "tatoeba" / "en-es" / "train.tsv.gz", b"")
    monkeypatch.setenv("CORPORA_DIR", str(tmp_path))
    assert locate("tatoeba/en-es/train", data_dir=None).name == "train.tsv.gz"


def test_a_corpus_of_ones_own_is_found_by_its_place(tmp_path):
    write_atomically(tmp_path / "mine" / "train.conllu", CONTENT)
    assert locate("mine/train", data_dir=tmp_path) == tmp_path / "mine" / "train.conllu"
    write_atomically(tmp_path / "mine" / "train.conll", CONTENT)
    with pytest.raises(UnknownCorpusError, match="ambiguous"):
        locate("mine/train", data_dir=tmp_path)


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path):
    with pytest.raises(UnknownCorpusError, match="wnut17/train"):
        locate("wnut/train", data_dir=tmp_path)


def test_a_corpus_without_a_download_says_how_to_come_by_it():
    with pytest.raises(CorpusUnavailableError, match=r"training\.corpora\.gmb"):
        locate("gmb/train", data_dir=None)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_download_is_verified_and_cached(tmp_path, published, ending):
    source = dataclasses.replace(published, url=f"{published.url}{ending}")
    path = fetch(source, tmp_path / "cache")
    assert path == tmp_path / "cache" / "toy" / "train.conll"
    assert path.read_bytes() == CONTENT
    assert fetch(dataclasses.replace(source, url="http://127.0.0.1:9/gone"), tmp_path / "cache") == path


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_one_file_of_an_archive_is_unpacked_and_verified(tmp_path, published, kind):
    (tmp_path / "packed" / "trees").mkdir(parents=True)
    (tmp_path / "packed" / "trees" / "train.txt").write_bytes(CONTENT)
    archive = Path(shutil.make_archive(str(tmp_path / "site" / "trees"), kind, tmp_path / "packed"))
    url = published.url.replace("train.conll", archive.name)
    member = "trees/train.txt" if kind == "zip" else "./trees/train.txt"
    source = dataclasses.replace(published, url=url, member=member)
    assert fetch(source, tmp_path / "cache").read_bytes() == CONTENT

    for wrong in ("trees", "absent.txt"):
        with pytest.raises(CorpusUnavailableError, match="toy/train"):
            fetch(dataclasses.replace(source, member=wrong), tmp_path / "other")


def test_one_file_of_a_debian_package_is_unpacked(tmp_path, published):
    (tmp_path / "packed" / "usr").mkdir(parents=True)
    (tmp_path / "packed" / "usr" / "words.dz").write_bytes(gzip.compress(CONTENT))
    data = Path(shutil.make_archive(str(tmp_path / "data"), "xztar", tmp_path / "packed")).read_bytes()
    members = {"debian-binary": b"2.0", "control.tar.xz": b"odd", "data.tar.xz": data}
    package = b"!<arch>\n" + b"".join(
        f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(each):<10}`\n".encode() + each + b"\n" * (len(each) % 2)
        for name, each in members.items()
    )
    (tmp_path / "site" / "words.deb").write_bytes(package)
    source = dataclasses.replace(
        published, url=published.url.replace("train.conll", "words.deb"), member="./usr/words.dz"
    )
    assert fetch(source, tmp_path / "cache").read_bytes() == CONTENT
    with pytest.raises(CorpusUnavailableError, match="toy/train"):
        fetch(dataclasses.replace(source, member="./usr/absent"), tmp_path / "other")


def test_what_is_no_archive_is_said_to_be_unavailable(tmp_path, published):
    with pytest.raises(CorpusUnavailableError, match="toy/train"):
        fetch(dataclasses.replace(published, member="train.txt"), tmp_path / "cache")


def test_a_wrong_checksum_names_file_expected_and_got_and_leaves_nothing(tmp_path, published):
    wrong = dataclasses.replace(published, sha256="0" * 64)
    with pytest.raises(ChecksumError) as raised:
        fetch(wrong, tmp_path / "cache")
    for part in ("train.conll", "0" * 64, hashlib.sha256(CONTENT).hexdigest()):
        assert part in str(raised.value)
    assert not list((tmp_path / "cache").rglob("*.conll*"))


def test_a_failed_download_says_which_and_what_to_do(tmp_path, published):
    missing = dataclasses.replace(published, url=f"{published.url}.nowhere")
    with pytest.raises(CorpusUnavailableError, match=r"toy/train.*404.*CORPORA_DIR"):
        fetch(missing, tmp_path / "cache")


def test_a_write_that_fails_leaves_neither_file_nor_litter(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "taken", CONTENT)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_the_cache_follows_the_users_settings(tmp_path, monkeypatch):
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("CORPORA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "ribbon"


CSV = """Sentence #,Word,POS,Tag
Sentence: 1,Ann,NNP,B-per
,\"\"\"\",``,O
Sentence: 2,Café,NN,O
Sentence: 3,Ann,NNP,B-per
,\"\"\"\",``,O
"""
ANN, CAFE = 'Ann\tNNP\tB-per\n"\t``\tO', "Café\tNN\tO"


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig"])
def test_the_public_gmb_file_is_read_in_any_encoding_it_is_passed_on_in(tmp_path, encoding):
    (tmp_path / "ner.csv").write_text(CSV, encoding=encoding)
    assert list(gmb.read_kaggle_csv(tmp_path / "ner.csv")) == [ANN, CAFE, ANN]


def test_copies_that_number_every_row_read_the_same(tmp_path):
    rows = ["Sentence #,Word,POS,Tag", "1,a,DT,O", "1,dog,NN,O", "2,b,DT,O"]
    (tmp_path / "ner.csv").write_text("\n".join(rows))
    assert list(gmb.read_kaggle_csv(tmp_path / "ner.csv")) == ["a\tDT\tO\ndog\tNN\tO", "b\tDT\tO"]


def test_a_sentence_listed_once_leaves_its_double_in_train():
    keys = {"dev": [gmb.sentence_key(CAFE), gmb.sentence_key(ANN)], "test": []}
    assert gmb.split([ANN, CAFE, ANN], keys) == {"train": [ANN], "dev": [CAFE, ANN], "test": []}


def test_a_file_that_lacks_listed_sentences_is_refused():
    with pytest.raises(CorpusError, match="1 of 2"):
        gmb.split([ANN], {"dev": [gmb.sentence_key(ANN)], "test": [gmb.sentence_key(CAFE)]})


def test_the_split_is_found_where_locate_looks(tmp_path):
    gmb.write_split({"train": [ANN, CAFE], "dev": [CAFE], "test": [ANN]}, cache_dir() / "gmb")
    assert locate("gmb/train", data_dir=None).read_text(encoding="utf-8") == f"{ANN}\n\n{CAFE}\n"


def test_the_committed_split_lists_as_many_sentences_as_the_files_had():
    assert {part: len(keys) for part, keys in gmb.read_split().items()} == {"dev": 2397, "test": 2397}

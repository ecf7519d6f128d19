from __future__ import annotations

import io
import tarfile

from tests.training.corpora.made_up_texts import write_corpora
from training.corpora import imdb
from training.corpora.labelled import LabelledText


def test_reviews_come_with_their_class_and_without_markup(tmp_path):
    write_corpora(tmp_path)
    assert imdb.read_reviews("test", tmp_path) == [
        LabelledText(text="awful\n\nthing", label=0),
        LabelledText(text="great film 1", label=1),
        LabelledText(text="great thing", label=1),
    ]
    assert imdb.read_unlabelled(tmp_path) == ["never rated\nat all", "nor was this"]


def test_misread_characters_are_read_again():
    assert imdb.clean(" well\x85 it\x92s fun ") == "well… it’s fun"


def reviews_of(*names: str) -> list[LabelledText]:
    return [LabelledText(text=name, label=0) for name in names]


def test_dev_is_a_matter_of_the_text_alone():
    reviews = reviews_of(*map(str, range(100)))
    train, dev = imdb.split_dev(reviews)
    assert len(dev) == 10
    assert sorted(train + dev, key=reviews.index) == reviews
    assert sorted(dev, key=reviews.index) == dev
    _, other = imdb.split_dev(reviews[::-1])
    assert other == dev[::-1]


def test_the_public_archive_becomes_the_files_that_are_read(tmp_path):
    members = {
        "aclImdb/train/pos/0_9.txt": "so  good",
        "aclImdb/train/neg/10_1.txt": "so\tbad",
        "aclImdb/train/neg/9_2.txt": "bad\nfilm",
        "aclImdb/train/unsup/0_0.txt": "who knows",
        "aclImdb/test/pos/3_10.txt": "great",
        "aclImdb/README": "about",
    }
    with tarfile.open(tmp_path / "reviews.tar.gz", "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    assert imdb.read_archive(tmp_path / "reviews.tar.gz") == {
        "train.tsv": ["neg\t2\tbad film", "neg\t1\tso bad", "pos\t9\tso good"],
        "test.tsv": ["pos\t10\tgreat"],
        "unsup.txt": ["who knows"],
    }

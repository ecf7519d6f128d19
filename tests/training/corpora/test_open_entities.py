from __future__ import annotations

import pytest

from tests.training.corpora.made_up_tagging import write_corpora
from training.corpora import open_entities
from training.corpora.examples import TaggedSentence


@pytest.fixture
def data_dir(tmp_path):
    write_corpora(tmp_path)
    return tmp_path


def test_the_split_parts_blocks_and_loses_nothing():
    sentences = [TaggedSentence(words=[str(i)], tags={"ner": ["O"]}) for i in range(1000)]
    parts = {split: open_entities.in_split(sentences, split) for split in ("train", "dev", "test")}
    numbers = {split: {int(s.words[0]) for s in rows} for split, rows in parts.items()}
    assert sorted(i for part in numbers.values() for i in part) == list(range(1000))
    assert 0.05 < len(numbers["dev"]) / 1000 < 0.15
    borders = sum(i + 1 not in numbers["dev"] for i in numbers["dev"])
    assert borders == len(numbers["dev"]) / open_entities.BLOCK


def test_every_corpus_is_read(data_dir):
    assert open_entities.read_crossner("dev", data_dir)[0].words[:3] == ["Ann", "paid", "Acme"]
    assert len(open_entities.read_slots(data_dir)) == 4
    assert open_entities.read_silver(data_dir)[1].tags["ner"][:2] == ["B-CARDINAL", "B-NORP"]
    assert open_entities.read_re3d(data_dir)
    for read in (open_entities.read_redocred, open_entities.read_sec_filings):
        sizes = [len(read(split, data_dir)) for split in ("train", "dev", "test")]
        assert sum(sizes) == 800
        assert min(sizes) > 0


def test_ordinals_are_joined_and_penn_s_quotes_undone():
    given = TaggedSentence(
        words=["``", "May", "11", "th", "''"], tags={"ner": ["O", "B-DATE", "I-DATE", "I-DATE", "O"]}
    )
    joined = open_entities.join_ordinals(given)
    assert joined.words == ['"', "May", "11th", '"']
    assert joined.tags["ner"] == ["O", "B-DATE", "I-DATE", "O"]

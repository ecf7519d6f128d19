from __future__ import annotations

import pytest

from tests.training.corpora.made_up_texts import write_corpora
from training.corpora.labelled import key_of
from training.corpora.text_tasks import TASKS, read_sets, read_training


@pytest.fixture
def folder(tmp_path):
    write_corpora(tmp_path)
    return tmp_path


@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_learned_from_that_is_scored_on(folder, task):
    sets = [part for split in ("dev", "test") for part in read_sets(task, split, folder)]
    held_out = {key_of(x.text) for part in sets for x in part.texts}
    train = read_training(task, folder)
    assert train
    assert held_out.isdisjoint(key_of(x.text) for x in train)
    assert {x.label for x in train} <= set(range(len(TASKS[task])))


def test_sentiment_is_two_corpora(folder):
    assert [part.corpus for part in read_sets("sentiment", "test", folder)] == ["SST-2 test", "IMDB test"]
    both = len(read_training("sst2", folder)) + len(read_training("imdb", folder))
    assert len(read_training("sentiment", folder)) == both


def test_sentences_are_scored_and_phrases_only_learned_from(folder):
    assert [len(part.texts) for part in read_sets("sst5", "dev", folder)] == [3]
    assert [len(part.texts) for part in read_sets("sst2", "dev", folder)] == [2]
    assert any(x.text == "Utterly dull" for x in read_training("sst5", folder))

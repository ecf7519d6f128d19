from __future__ import annotations

import pytest

from tests.training.corpora.made_up_texts import write_corpora
from training.corpora import tweeteval
from training.corpora.labelled_text import LabelledText


def test_tweets_are_read_as_they_were_typed(tmp_path):
    write_corpora(tmp_path)
    assert tweeteval.read_irony("train", tmp_path)[:2] == [
        LabelledText(text="A home phone, number train 0 & more\n#phone", target=(1.0, 0.0), source="tweets"),
        LabelledText(text="A rain phone, number train 0 & more\n#phone", target=(0.0, 1.0), source="tweets"),
    ]
    assert len(tweeteval.read_irony("dev", tmp_path)) == 8


def test_a_tweet_without_a_class_is_an_error(tmp_path):
    write_corpora(tmp_path)
    (tmp_path / "tweeteval" / "irony" / "val_labels.txt").write_text("1\n")
    with pytest.raises(ValueError, match="zip"):
        tweeteval.read_irony("dev", tmp_path)

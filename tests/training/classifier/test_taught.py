from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("vaderSentiment")

from tests.training.corpora.made_up_texts import text_of
from training.classifier.taught import named_emoji, read_taught, taught_texts, write_taught
from training.corpora.labelled_text import LabelledText
from training.corpora.text_key import key_of


def test_every_text_is_taught_once_and_none_that_is_held_out(data_dir):
    held_out = [text_of("joy", "train", 3), "Set an ALARM for seven"]
    found = [text.text for text in taught_texts(2000, held_out, data_dir) if text.text == text.asked]  # no emoji
    keys = list(map(key_of, found))
    assert len(set(keys)) == len(keys) > 50
    assert not {key_of(text) for text in held_out} & set(keys)
    assert text_of("joy", "train", 5) in found


def test_a_source_has_its_share_at_most(data_dir):
    num_emoji = len(list(named_emoji()))
    assert 40 < len(list(taught_texts(100, [], data_dir))) - num_emoji <= 100


def test_of_an_emoji_the_name_is_asked():
    names = {text.text: text.asked for text in named_emoji()}
    assert names["😀"] == "grinning face"
    assert len(names) > 3000


def test_what_is_written_is_read_again(tmp_path):
    write_taught(tmp_path / "taught.tsv", ["two\n lines", "one"], np.array([[0.25, 0.75], [1.0, 0.0]]))
    assert read_taught(tmp_path / "taught.tsv", 2) == [
        LabelledText(text="two lines", target=(0.25, 0.75), source="taught"),
        LabelledText(text="one", target=(1.0, 0.0), source="taught"),
    ]
    with pytest.raises(ValueError, match=r"taught.tsv:1: 2 probabilities for 3 labels"):
        read_taught(tmp_path / "taught.tsv", 3)

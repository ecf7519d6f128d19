"""The weights of the playground's pane Inside: made by the command line, and those that ship held against PyTorch."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.training.corpora.made_up_texts import write_corpora
from tests.training.scripts import run
from training.experiments import inside
from training.networks.layers import CELLS

ROOT = Path(__file__).parents[3]
SMALL = "--num-words 40 --word-size 3 --hidden-size 4 --templates 50 --batch-size 8 --epochs 1"


def network_in(content):
    """The networks of a file, with exactly its weights."""
    tables = content["tables"]
    num_words, word_size = tables["words"]["shape"]
    network = inside.Readers(num_words - 1, word_size, tables["rnn.hidden"]["shape"][1])
    parameters = inside.tables_of(network)
    assert parameters.keys() == tables.keys()
    for name, table in tables.items():
        values = np.frombuffer(base64.b64decode(table["int8"]), np.int8).reshape(table["shape"]) * table["scale"]
        parameters[name].data.copy_(torch.from_numpy(values))
    return network.eval()


def check_example(content):
    """The example's numbers are those that PyTorch computes from the weights in the file."""
    places = {word: place for place, word in enumerate(content["words"].split(" "), 1)}
    assert len(places) == content["tables"]["words"]["shape"][0] - 1
    text = content["example"]["text"]
    ids = np.array([places.get(word, inside.UNKNOWN) for word in inside.words_of(text)])
    found, written = inside.states_of(network_in(content), ids), content["example"]["states"]
    for cell in CELLS:
        for part in ("hidden", "probabilities"):
            assert np.array(found[cell][part]) == pytest.approx(np.array(written[cell][part]), abs=2e-5)
        assert np.array(written[cell]["probabilities"]).sum(1) == pytest.approx(1, abs=1e-4)


def test_a_run_writes_weights_and_what_they_make_of_a_sentence(tmp_path, monkeypatch):
    write_corpora(tmp_path / "data")
    files = [tmp_path / "one" / "inside.json", tmp_path / "two.json"]
    for file in files:
        run(inside.main, monkeypatch, *SMALL.split(), "--data-dir", tmp_path / "data", "--out", file)
    assert files[0].read_bytes() == files[1].read_bytes(), "the same seed gives the same weights"
    content = json.loads(files[0].read_text("utf-8"))
    assert content["accuracy"].keys() == CELLS.keys()
    check_example(content)


def test_the_file_that_ships_is_what_pytorch_computes():
    content = json.loads((ROOT / inside.PAGE).read_text("utf-8"))
    check_example(content)
    # The sentence tells the cells apart: the RNN does not bring "not" and "bad" together.
    verdicts = {name: np.argmax(states["probabilities"][-1]) for name, states in content["example"]["states"].items()}
    assert [content["labels"][verdicts[name]] for name in ("rnn", "gru", "lstm")] == [
        "negative",
        "positive",
        "positive",
    ]


def test_words_are_told_apart_as_the_page_does():
    assert inside.words_of("It’s not_bad, 3.5 naïve 😀") == [
        "it's",
        "not",
        "_",
        "bad",
        ",",
        "3",
        ".",
        "5",
        "naïve",
        "😀",
    ]

from __future__ import annotations

import msgspec
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from service.bundle import load_bundle
from service.predictors.replay import TagExample
from service.predictors.tagger import Tagger
from service.text.vocabulary import Vocabulary
from tests.fakes import LEXICON, FakeSession, example, write_bundle
from training.export import ExportError
from training.publish_tagger import agreed


class Contrary:
    """A precision that gives one word other tags than everybody else."""

    def __init__(self, word_id: int) -> None:
        self.word_id = word_id
        self.session = FakeSession()

    def run(self, inputs):
        outputs = dict(self.session.run(inputs))
        there = inputs["ids"][:, :, 0] == self.word_id
        outputs["upos"] = outputs["upos"].copy()
        outputs["upos"][there] = -outputs["upos"][there]
        return outputs


EXAMPLES = [
    msgspec.convert(example(*text.split()), TagExample)
    for text in ("Alice plays with Paris", "others", "with others", "well")
]


@pytest.fixture
def bundle(tmp_path):
    return load_bundle(write_bundle(tmp_path))


def word_id(word: str) -> int:
    return Vocabulary.of(LEXICON).encode(word)


def taggers(bundle, contrary_to: int) -> dict[str, Tagger]:
    return {"fp32": Tagger(bundle, FakeSession()), "int8": Tagger(bundle, Contrary(contrary_to))}


def test_only_what_every_precision_answers_alike_is_an_example(bundle, capsys):
    kept = agreed(taggers(bundle, word_id("others")), EXAMPLES)
    assert [" ".join(one.tokens) for one in kept] == ["Alice plays with Paris", "well"]
    assert "no example: with others (int8 alone: upos is" in capsys.readouterr().out


def test_precisions_that_agree_on_nothing_are_not_published(bundle):
    with pytest.raises(ExportError, match="fp32, int8 agree on no example"):
        agreed(taggers(bundle, word_id("well")), EXAMPLES[3:])

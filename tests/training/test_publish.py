from __future__ import annotations

import msgspec
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from service.bundle import EXAMPLES as EXAMPLES_FILE
from service.bundle import load_bundle
from service.predictors.tagger import TagExample, Tagger
from service.text.pipeline import Vocabulary
from tests.fakes import LEXICON, FakeSession, example, write_bundle
from training.export import ExportError
from training.publish import agreed, write_examples


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
    printed = capsys.readouterr().out.splitlines()
    assert any(line.startswith("no example (int8 alone: upos is") and '["with","others"]' in line for line in printed)


def test_precisions_that_agree_on_nothing_are_not_published(bundle):
    with pytest.raises(ExportError, match="fp32, int8 agree on no example"):
        agreed(taggers(bundle, word_id("well")), EXAMPLES[3:])


def test_examples_are_written_a_line_each_as_the_service_reads_them(bundle, tmp_path):
    predictors = taggers(bundle, word_id("others"))
    write_examples(predictors, EXAMPLES, tmp_path)
    content = (tmp_path / EXAMPLES_FILE).read_bytes()
    assert predictors["fp32"].example_decoder.decode(content) == [EXAMPLES[0], EXAMPLES[3]]
    assert len(content.splitlines()) == 2 + 2

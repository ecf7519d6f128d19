"""What ships, under onnxruntime: batched equals alone, examples replay, and the answers we promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bundle import EXAMPLES, MANIFEST, load_bundle
from service.errors import BundleError
from service.predictors.replay import replay
from service.predictors.tagger import Tagger
from service.runtime.session import OnnxSession
from service.text.batch import pad
from service.text.spans import spans_of, tags_of
from service.text.tokenizer import join_words

MODELS = Path(__file__).parents[2] / "models"
TAGGERS = sorted(path.parent for path in MODELS.glob(f"*-tagger/{MANIFEST}"))
OUTPUTS = ("upos", "xpos", "entity")
WORDS = st.sampled_from(
    "the plays well with others Bridgestone Sports Company said Friday in Hong Kong $ 3 million New York , . ! n't "
    "I BREAKING café naïve 你好 Ωμέγα 😀 👩‍👩‍👧 e\u0301 \u200b \ufeff \0 \ud800 ﬁ İstanbul ٣ 1,000.50 http://a.b/c?d=e "
    "<pad> <mask> <unk> \x02 \x03 O B-PER incomprehensibilities_and_counting_on_for_ever".split(" ")
) | st.text(min_size=1, max_size=10)
SENTENCES = st.lists(WORDS, min_size=1, max_size=25)
EXAMPLES_OF_THE_LAW = settings(max_examples=50)  # each costs up to nine runs of the model


def open_tagger(folder: Path, precision: str) -> tuple[Tagger, OnnxSession]:
    bundle = load_bundle(folder)
    session = OnnxSession(bundle.graph(precision))
    return Tagger(bundle, session), session


@pytest.fixture(scope="module", params=TAGGERS, ids=lambda folder: folder.name)
def shipped(request) -> tuple[Tagger, OnnxSession]:
    return open_tagger(request.param, "fp32")


def rows_of(tagger, sentences):
    return [tagger.encode(join_words(words)[1]).ids for words in sentences]


def run(session, rows):
    batch = pad(rows)
    return session.run({"ids": batch.ids, "lengths": batch.lengths})


@EXAMPLES_OF_THE_LAW
@given(st.lists(SENTENCES, min_size=1, max_size=8))
def test_every_score_of_a_batch_is_to_the_last_bit_what_it_is_alone(shipped, sentences):
    tagger, session = shipped
    rows = rows_of(tagger, sentences)
    together = run(session, rows)
    for i, row in enumerate(rows):
        alone = run(session, [row])
        for name in OUTPUTS:
            assert np.array_equal(together[name][i, : len(row)], alone[name][0]), (name, i)


@EXAMPLES_OF_THE_LAW
@given(st.lists(SENTENCES, min_size=1, max_size=8))
def test_every_answer_of_a_batch_is_what_it_is_alone(shipped, sentences):
    tagger, _ = shipped
    rows = rows_of(tagger, sentences)
    for row, answer in zip(rows, tagger.run(pad(rows)), strict=True):
        (alone,) = tagger.run(pad([row]))
        assert (answer.upos, answer.xpos, answer.entity, answer.spans) == (
            (alone.upos, alone.xpos, alone.entity, alone.spans)
        )
        assert len(answer.upos) == len(answer.xpos) == len(answer.entity) == len(row)
        assert tags_of(spans_of(answer.entity), len(row)) == answer.entity
        assert all(0 < span.score <= 1 for span in answer.spans)


def test_a_short_sentence_beside_the_longest_is_what_it_is_alone(shipped):
    tagger, session = shipped
    rows = rows_of(tagger, [["Yes"], ["word"] * 300, ["plays", "well"], *[["A", "b"]] * 30])
    together = run(session, rows)
    for i, row in enumerate(rows):
        alone = run(session, [row])
        for name in OUTPUTS:
            assert np.array_equal(together[name][i, : len(row)], alone[name][0]), (name, i)


def test_the_order_of_a_batch_changes_nothing(shipped):
    tagger, session = shipped
    rows = rows_of(tagger, [["Yes"], "The staff was very friendly .".split(), ["Hong", "Kong"]])
    for name, values in run(session, rows).items():
        turned = run(session, rows[::-1])[name][::-1]
        for one, other, row in zip(values, turned, rows, strict=True):
            assert np.array_equal(one[: len(row)], other[: len(row)])


@pytest.mark.parametrize(
    ("folder", "precision"),
    [(folder, precision) for folder in TAGGERS for precision in load_bundle(folder).manifest.precisions],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_every_precision_answers_the_examples(folder, precision):
    bundle = load_bundle(folder)
    replay(Tagger(bundle, OnnxSession(bundle.graph(precision))), bundle, precision=precision)


class Shifted:
    """A session whose tags are all off by one: a graph that belongs to other labels."""

    def __init__(self, session: OnnxSession) -> None:
        self.session = session

    def run(self, inputs):
        return {name: np.roll(values, 1, axis=2) for name, values in self.session.run(inputs).items()}


def test_a_graph_of_other_labels_does_not_pass():
    bundle = load_bundle(MODELS / "en-tagger")
    tagger = Tagger(bundle, Shifted(OnnxSession(bundle.graph())))
    with pytest.raises(BundleError, match=f"{EXAMPLES}: example 0 in a batch: upos is"):
        replay(tagger, bundle, precision="fp32")


@pytest.fixture(scope="module")
def english() -> Tagger:
    return open_tagger(MODELS / "en-tagger", "fp32")[0]


def test_plays_well_with_others(english):
    (answer,) = english.run(pad(rows_of(english, ["plays well with others".split()])))
    assert answer.xpos == "VBZ RB IN NNS".split()


def test_bridgestone_friday_and_hong_kong(english):
    text = (
        "Bridgestone Sports Company said Friday it has set up a joint venture in Hong Kong with a local company"
    ).split()
    (answer,) = english.run(pad(rows_of(english, [text])))
    assert [(span.label, " ".join(text[span.start : span.end])) for span in answer.spans] == [
        ("ORG", "Bridgestone Sports Company"),
        ("DATE", "Friday"),
        ("LOC", "Hong Kong"),
    ]

"""What every predictor promises, over tiny graphs whose answers are known and over all that ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bundle import MANIFEST, Bundle, load_bundle
from service.errors import InputTooLongError
from service.predictors.classifier import Classifier
from service.predictors.predictor import Predictor
from service.predictors.replay import replay
from service.predictors.tagger import Tagger
from service.runtime.session import Arrays, OnnxSession, Session
from service.text.batch import Ids, pad
from service.text.tokenizer import join_words, split_sentences
from tests.fakes import FakeSession, lexicon_graph, sentiment_graph, write_bundle, write_classifier

MODELS = Path(__file__).parents[2] / "models"
WORDS = st.sampled_from(
    "the plays well with others Alice moved to Hong Kong , . ! n't not good bad exciting boring but I BREAKING café "
    "naïve 你好 😀 👩‍👩‍👧 e\u0301 \u200b \ufeff \0 \ud800 ﬁ İstanbul ٣ 1,000.50 http://a.b/c?d=e soooo well-made "
    "<pad> <mask> <unk> \x02 \x03 O B-PER incomprehensibilities_and_counting_on_for_ever".split(" ")
) | st.text(st.characters(exclude_categories=()), min_size=1, max_size=10)
TEXTS = st.lists(WORDS, min_size=1, max_size=25).map(" ".join).filter(str.strip)
BATCHES = st.lists(TEXTS, min_size=1, max_size=6)


@dataclass(eq=False)
class Recorded:
    """A session that remembers the shapes it was given."""

    session: Session
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def run(self, inputs: Arrays) -> Arrays:
        self.shapes.append(inputs["ids"].shape)
        return self.session.run(inputs)


@dataclass(frozen=True, eq=False)
class Case:
    """A predictor at work, and how its task makes rows."""

    predictor: Predictor[Any, Any]
    session: Recorded
    bundle: Bundle
    precision: str
    rows_of: Callable[[str], Sequence[Ids]]
    row_of_words: Callable[[Sequence[str]], Ids]


def case_of(bundle: Bundle, session: Session, *, precision: str = "fp32") -> Case:
    recorded = Recorded(session)
    if bundle.manifest.task == "tag":
        tagger = Tagger(bundle, recorded)
        return Case(
            tagger, recorded, bundle, precision,
            rows_of=lambda text: [tagger.encode(sentence).ids for sentence in split_sentences(text)],
            row_of_words=lambda words: tagger.encode(join_words(words)[1]).ids,
        )  # fmt: skip
    classifier = Classifier(bundle, recorded)
    return Case(
        classifier, recorded, bundle, precision,
        rows_of=lambda text: classifier.encode(text).rows,
        row_of_words=lambda words: classifier.encode(" ".join(words)).ids,
    )  # fmt: skip


Open = Callable[[Path], Case]
TINY: dict[str, Open] = {
    "tagger, fake": lambda folder: case_of(load_bundle(write_bundle(folder)), FakeSession()),
    "classifier, fake": lambda folder: case_of(load_bundle(write_classifier(folder)), FakeSession()),
    "tagger, onnx": lambda folder: open_onnx(write_bundle(folder, graph=lexicon_graph())),
    "classifier, onnx": lambda folder: open_onnx(write_classifier(folder, graph=sentiment_graph())),
}
SHIPPED = sorted(path.parent for path in MODELS.glob(f"*/{MANIFEST}"))


def open_onnx(folder: Path, precision: str = "fp32") -> Case:
    bundle = load_bundle(folder)
    return case_of(bundle, OnnxSession(bundle.graph(precision)), precision=precision)


open_shipped = cache(open_onnx)


@pytest.fixture(scope="module", params=[*TINY, *SHIPPED], ids=lambda param: getattr(param, "name", param))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """In fp32."""
    if isinstance(request.param, Path):
        return open_shipped(request.param)
    return TINY[request.param](tmp_path_factory.mktemp("models"))


def examples_for_all(test: Any) -> Any:
    """Every example costs several runs of real models."""
    return settings(max_examples=25)(test)


def answers_of(case: Case, rows: Sequence[Ids]) -> list[dict[str, Any]]:
    return [asdict(answer) for answer in case.predictor.run(pad(rows))]


def rows_of_all(case: Case, texts: Sequence[str]) -> list[Ids]:
    """Of those that are not too long, and of one that never is."""
    rows = list(case.rows_of("x"))
    for text in texts:
        with suppress(InputTooLongError):
            rows += case.rows_of(text)
    return rows


@examples_for_all
@given(BATCHES)
def test_batched_is_to_the_last_bit_what_it_is_alone(case: Case, texts: list[str]) -> None:
    rows = rows_of_all(case, texts)
    together = answers_of(case, rows)
    assert len(together) == len(rows)
    for row, answer in zip(rows, together, strict=True):
        assert answers_of(case, [row]) == [answer]


def test_neighbours_and_their_order_change_nothing(case: Case) -> None:
    longest = "word " * min(300, case.predictor.max_tokens)
    rows = rows_of_all(case, ["Yes", longest, "It was not bad at all", *["A b"] * 20])
    together = answers_of(case, rows)
    assert together == answers_of(case, rows[::-1])[::-1]
    assert together == [answers_of(case, [row])[0] for row in rows]


@examples_for_all
@given(TEXTS)
def test_any_unicode_makes_rows_within_the_limit_or_is_refused_for_its_length(case: Case, text: str) -> None:
    try:
        rows = case.rows_of(text)
    except InputTooLongError:
        assert len(text) > case.predictor.max_tokens
        return
    assert all(1 <= len(row) <= case.predictor.max_tokens for row in rows)
    assert len(case.predictor.run(pad(rows))) == len(rows)


def test_too_long_is_told_the_limit_and_the_length(case: Case) -> None:
    limit = case.predictor.max_tokens
    assert len(case.row_of_words(["well"] * limit)) == limit
    with pytest.raises(InputTooLongError, match=rf"\b{limit + 1} tokens.*at most {limit}\b"):
        case.row_of_words(["well"] * (limit + 1))


def test_the_examples_are_answered(case: Case) -> None:
    replay(case.predictor, case.bundle, precision=case.precision)


@pytest.mark.parametrize(
    ("folder", "precision"),
    [(folder, precision) for folder in SHIPPED for precision in load_bundle(folder).manifest.precisions],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_examples_are_answered_in_every_precision_that_ships(folder: Path, precision: str) -> None:
    shipped = open_onnx(folder, precision)
    replay(shipped.predictor, shipped.bundle, precision=precision)


def test_several_threads_may_run_it_at_once(case: Case) -> None:
    batches = [case.rows_of(f"{'good ' * i}plays with others") for i in range(8)]
    expected = [answers_of(case, rows) for rows in batches]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda rows: answers_of(case, rows), batches * 3)) == expected * 3


@pytest.mark.parametrize("cells", [1, 1024])
def test_a_warm_up_runs_the_largest_batches_there_will_be(case: Case, cells: int) -> None:
    case.session.shapes.clear()
    case.predictor.warm_up(cells)
    assert max(shape[0] * shape[1] for shape in case.session.shapes) >= max(cells, case.predictor.max_tokens)
    assert max(shape[1] for shape in case.session.shapes) == case.predictor.max_tokens

"""What every predictor promises, over tiny graphs whose answers are known and over all that ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bundle import MANIFEST, Bundle, load_bundle, read_bundle
from service.decoding.beam_search import encoded_at_once
from service.errors import InputTooLongError
from service.predictors.classifier import Classifier
from service.predictors.graphs import SCORED_TOGETHER
from service.predictors.language_model import LanguageModel
from service.predictors.predictor import Bounds, Predictor, replay
from service.predictors.tagger import Tagger
from service.predictors.translation import TranslateOptions
from service.predictors.translator import Translator
from service.runtime.session import Arrays, OnnxSession, Session
from service.text.paragraphs import cut
from service.text.pipeline import pad
from service.text.tokenizer import join_words, split_sentences
from tests.fakes import (
    FakeSession,
    OpenFake,
    language_graphs,
    lexicon_graph,
    multi_label_graph,
    sentiment_graph,
    write_bundle,
    write_classifier,
    write_language_model,
    write_multi_label,
    write_translator,
)

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


Row = Any  # whatever a predictor's encode gives


@dataclass(frozen=True, eq=False)
class Case:
    """A predictor at work, how its task makes rows, and how it answers them."""

    predictor: Predictor[Any, Any]
    session: Recorded
    bundle: Bundle
    precision: str
    rows_of: Callable[[str], Sequence[Row]]
    row_of_length: Callable[[int], Row]
    length_of: Callable[[Row], int]
    answers_of: Callable[[Sequence[Row]], list[Any]]
    longest_run: int | None = None  # tokens of a row, where a long one is run in stretches
    largest_run: int | None = None  # tokens of all rows, where the predictor bounds them itself


OpenGraph = Callable[[Path], Session]


def tagger_case(bundle: Bundle, open_graph: OpenGraph, precision: str) -> Case:
    session = Recorded(open_graph(bundle.graph(precision)))
    tagger = Tagger(bundle, session)
    return Case(
        tagger, session, bundle, precision,
        rows_of=lambda text: [tagger.encode(sentence).ids for sentence in split_sentences(text)],
        row_of_length=lambda length: tagger.encode(join_words(["well"] * length)[1]).ids,
        length_of=len,
        answers_of=lambda rows: [asdict(answer) for answer in tagger.run(pad(rows))],
    )  # fmt: skip


def classifier_case(bundle: Bundle, open_graph: OpenGraph, precision: str) -> Case:
    session = Recorded(open_graph(bundle.graph(precision)))
    classifier = Classifier(bundle, session)
    return Case(
        classifier, session, bundle, precision,
        rows_of=lambda text: classifier.encode(text).rows,
        row_of_length=lambda length: classifier.encode(" ".join(["well"] * length)).ids,
        length_of=len,
        answers_of=lambda rows: [asdict(answer) for answer in classifier.run(pad(rows))],
    )  # fmt: skip


def translator_case(bundle: Bundle, open_graph: OpenGraph, precision: str) -> Case:
    session = Recorded(open_graph(bundle.encoder(precision)))
    translator = Translator(bundle, encoder=session, step=open_graph(bundle.graph(precision)))
    options = TranslateOptions(pair=translator.pairs[0], num_hypotheses=2)
    return Case(
        translator, session, bundle, precision,
        rows_of=lambda text: [translator.encode(sentence, options) for sentence in cut(text).sentences],
        row_of_length=lambda length: source_of_length(translator, options, length),
        length_of=lambda source: max([len(search.ids) for search in source.searches], default=1),
        answers_of=lambda sources: [list(map(asdict, found)) for found in translator.decode_all(sources)],
        largest_run=encoded_at_once(translator.max_tokens) * translator.max_tokens,
    )  # fmt: skip


def source_of_length(translator: Translator, options: TranslateOptions, length: int) -> Row:
    """A word more, or a letter where a word would be too much."""

    def length_of(text: str) -> int:
        return sum(len(search.ids) for search in translator.encode(text, options).searches)

    text = "a"
    while length_of(text) < min(length, translator.max_tokens):
        longer = f"{text} a"
        text = longer if length_of(longer) <= min(length, translator.max_tokens) else f"{text}b"
    return translator.encode(text if length <= translator.max_tokens else f"{text} a", options)


def language_model_case(bundle: Bundle, open_graph: OpenGraph, precision: str) -> Case:
    session = Recorded(open_graph(bundle.encoder(precision)))
    model = LanguageModel(bundle, reader=session, step=open_graph(bundle.graph(precision)))
    return Case(
        model, session, bundle, precision,
        rows_of=lambda text: [model.encode(text).ids],
        row_of_length=lambda length: model.encode("a" + "\n" * (length - model.encode("a").num_tokens)).ids,
        length_of=lambda row: len(row) - 1,
        answers_of=lambda rows: [asdict(answer) for answer in model.run(pad(rows))],
        longest_run=min(SCORED_TOGETHER, model.max_tokens),
        largest_run=min(SCORED_TOGETHER, model.max_tokens),
    )  # fmt: skip


CASES = {"tag": tagger_case, "classify": classifier_case, "translate": translator_case, "generate": language_model_case}
Open = Callable[[Path], Case]
TINY: dict[str, Open] = {
    "tagger, fake": lambda folder: open_fake(write_bundle(folder)),
    "classifier, fake": lambda folder: open_fake(write_classifier(folder)),
    "multi-label classifier, fake": lambda folder: open_fake(write_multi_label(folder)),
    "translator, fake": lambda folder: open_fake(write_translator(folder)),
    "language model, fake": lambda folder: open_fake(write_language_model(folder)),
    "language model, onnx": lambda folder: open_onnx(write_language_model(folder, graphs=language_graphs())),
    "tagger, onnx": lambda folder: open_onnx(write_bundle(folder, graph=lexicon_graph())),
    "classifier, onnx": lambda folder: open_onnx(write_classifier(folder, graph=sentiment_graph())),
    "multi-label classifier, onnx": lambda folder: open_onnx(write_multi_label(folder, graph=multi_label_graph())),
}
SHIPPED = sorted(path.parent for path in MODELS.glob(f"*/{MANIFEST}"))


def open_onnx(folder: Path, precision: str = "") -> Case:
    """In fp32 if no precision is named, or in its own where it has no fp32."""
    bundle = load_bundle(folder)
    precision = precision or ("fp32" if "fp32" in bundle.manifest.precisions else bundle.manifest.default_precision)
    return CASES[bundle.manifest.task](bundle, OnnxSession, precision)


def open_fake(folder: Path) -> Case:
    bundle = load_bundle(folder)
    return CASES[bundle.manifest.task](bundle, partial(OpenFake(FakeSession()), device="cpu"), "fp32")


open_shipped = cache(open_onnx)


@pytest.fixture(scope="module", params=[*TINY, *SHIPPED], ids=lambda param: getattr(param, "name", param))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """In fp32."""
    if isinstance(request.param, Path):
        return open_shipped(request.param)
    return TINY[request.param](tmp_path_factory.mktemp("models"))


def examples_for_all(test: Any) -> Any:
    """Every example costs several runs of real models."""
    return settings(max_examples=10)(test)


def rows_of_all(case: Case, texts: Sequence[str]) -> list[Row]:
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
    together = case.answers_of(rows)
    assert len(together) == len(rows)
    for row, answer in zip(rows, together, strict=True):
        assert case.answers_of([row]) == [answer]


def test_neighbours_and_their_order_change_nothing(case: Case) -> None:
    longest = "word " * min(300, case.predictor.max_tokens)
    rows = rows_of_all(case, ["Yes", longest, "It was not bad at all", *["A b"] * 20])
    together = case.answers_of(rows)
    assert together == case.answers_of(rows[::-1])[::-1]
    assert together == [case.answers_of([row])[0] for row in rows]


@examples_for_all
@given(TEXTS)
def test_any_unicode_makes_rows_within_the_limit_or_is_refused_for_its_length(case: Case, text: str) -> None:
    try:
        rows = case.rows_of(text)
    except InputTooLongError:
        assert len(text.encode("utf-8", "surrogatepass")) + 2 > case.predictor.max_tokens  # a byte is one at most
        return
    assert all(1 <= case.length_of(row) <= case.predictor.max_tokens for row in rows)
    assert len(case.answers_of(rows)) == len(rows)


def test_too_long_is_told_the_limit_and_the_length_or_translated_in_parts(case: Case) -> None:
    limit = case.predictor.max_tokens
    if isinstance(case.predictor, Translator):
        source = case.row_of_length(limit)
        assert len(source.searches) >= 2
        return
    assert case.length_of(case.row_of_length(limit)) == limit
    with pytest.raises(InputTooLongError, match=r"\b(\d+) tokens.*at most (\d+)\b") as raised:
        case.row_of_length(limit + 1)
    assert f"at most {limit}" in raised.value.detail


def test_the_examples_are_answered(case: Case) -> None:
    replay(case.predictor, case.bundle, precision=case.precision)


@pytest.mark.parametrize(
    ("folder", "precision"),
    [(folder, precision) for folder in SHIPPED for precision in read_bundle(folder).manifest.precisions],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_examples_are_answered_in_every_precision_that_ships(folder: Path, precision: str) -> None:
    shipped = open_onnx(folder, precision)
    replay(shipped.predictor, shipped.bundle, precision=precision)


def test_several_threads_may_run_it_at_once(case: Case) -> None:
    batches = [case.rows_of(f"{'good ' * i}plays with others") for i in range(8)]
    expected = [case.answers_of(rows) for rows in batches]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(case.answers_of, batches * 3)) == expected * 3


@pytest.mark.parametrize("cells", [1, 1024])
def test_a_warm_up_runs_the_largest_batches_there_will_be(case: Case, cells: int) -> None:
    case.session.shapes.clear()
    case.predictor.warm_up(Bounds(cells=cells, decoder_rows=16))
    longest = case.longest_run or case.predictor.max_tokens
    largest = case.largest_run or max(cells, longest)
    assert max(shape[0] * shape[1] for shape in case.session.shapes) >= largest
    assert max(shape[1] for shape in case.session.shapes) == longest


@pytest.mark.parametrize("num_rows", [3, 100, 300])
def test_a_language_model_never_has_more_distributions_in_memory_than_its_bound(tmp_path: Path, num_rows: int) -> None:
    case = open_onnx(write_language_model(tmp_path, graphs=language_graphs()))
    rows = [row for number in range(num_rows) for row in case.rows_of("a" * (1 + number % 5))]
    case.session.shapes.clear()
    together = case.answers_of(rows)
    assert max(shape[0] * shape[1] for shape in case.session.shapes) <= SCORED_TOGETHER
    assert together == [answer for row in rows for answer in case.answers_of([row])]

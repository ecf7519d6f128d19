from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.spans import Span, bioes_tags, legal_transitions, spans_of, tags_of

LABELS = ("PER", "ORG", "LOC-A")
TAGS = bioes_tags(LABELS)


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Spans that do not overlap, in order, and the length of their sentence."""
    edges = sorted(draw(st.sets(st.integers(0, 30), max_size=10)))
    spans = []
    for start, end in pairwise(edges):
        label = draw(st.sampled_from([*LABELS, ""]))
        if label:
            spans.append(Span(label, start, end))
    return spans, max(edges, default=0) + draw(st.integers(0, 3))


@given(sentences())
def test_spans_written_as_tags_are_read_back(sentence):
    spans, length = sentence
    assert spans_of(tags_of(spans, length)) == spans


@given(sentences())
def test_the_tags_of_spans_are_a_legal_sequence(sentence):
    spans, length = sentence
    if length:
        assert is_legal(tags_of(spans, length))


@given(sentences())
def test_iob1_and_iob2_read_like_bioes(sentence):
    spans, length = sentence
    iob1, iob2 = ["O"] * length, ["O"] * length
    for i, span in enumerate(spans):
        inside = [f"I-{span.label}"] * (span.end - span.start)
        iob1[span.start : span.end] = iob2[span.start : span.end] = inside
        iob2[span.start] = f"B-{span.label}"
        if i and spans[i - 1].end == span.start and spans[i - 1].label == span.label:
            iob1[span.start] = f"B-{span.label}"  # IOB1 writes B only where two spans of one label touch
    assert spans_of(iob1) == spans_of(iob2) == spans_of(tags_of(spans, length)) == spans


@given(st.lists(st.sampled_from(TAGS) | st.text(max_size=6), max_size=20))
def test_any_sequence_has_spans_that_are_in_order_and_apart(tags):
    spans = spans_of(tags)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all(0 <= span.start < span.end <= len(tags) and span.label for span in spans)


@given(st.lists(st.sampled_from(TAGS), max_size=20))
def test_every_word_that_is_not_outside_is_in_a_span_of_its_label(tags):
    covered = {i: span.label for span in spans_of(tags) for i in range(span.start, span.end)}
    assert covered == {i: tag.partition("-")[2] for i, tag in enumerate(tags) if tag != "O"}


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("I-PER E-PER", [Span("PER", 0, 2)]),
        ("O E-PER", [Span("PER", 1, 2)]),
        ("B-PER I-LOC", [Span("PER", 0, 1), Span("LOC", 1, 2)]),
        ("S-PER I-PER", [Span("PER", 0, 1), Span("PER", 1, 2)]),
        ("B-PER S-PER", [Span("PER", 0, 1), Span("PER", 1, 2)]),
        ("B-PER O I-PER", [Span("PER", 0, 1), Span("PER", 2, 3)]),
        ("B-PER", [Span("PER", 0, 1)]),
        ("", []),
    ],
)
def test_broken_sequences_are_read_as_conlleval_reads_them(tags, spans):
    assert spans_of(tags.split()) == spans


@pytest.mark.parametrize(
    "spans", [[Span("PER", 0, 2), Span("LOC", 1, 3)], [Span("PER", 2, 5)], [Span("PER", -1, 1)], [Span("PER", 1, 1)]]
)
def test_spans_that_overlap_or_leave_the_sentence_have_no_tags(spans):
    with pytest.raises(ValueError, match="overlaps"):
        tags_of(spans, 4)


def is_legal(tags):
    """By the definition: a sequence is legal if it is what its own spans are written as."""
    return tags_of(spans_of(tags), len(tags)) == list(tags)


def test_a_sequence_is_legal_exactly_if_each_of_its_transitions_is():
    tags = bioes_tags(("PER", "LOC"))
    legal, edge = legal_transitions(tags), len(tags)
    for length in (1, 2, 3):
        for ids in product(range(len(tags)), repeat=length):
            steps = zip((edge, *ids), (*ids, edge), strict=True)
            assert all(legal[i, j] for i, j in steps) == is_legal([tags[i] for i in ids])


def test_a_sentence_is_never_empty():
    assert not legal_transitions(TAGS)[-1, -1]

"""Tags of a translation nest as those of its source do, wherever a network puts them."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.text.markup.inline import TAG, nest

_TAG = re.compile(TAG)
_PIECES = st.sampled_from(["uno ", "dos", " tres", ". ", "\uf000", "", " "])


def tree_of(sentence: str) -> list[tuple[str, str]] | None:
    """Each tag with the one that is open around it; None if a tag closes another element than the innermost."""
    found, opened = [], [""]
    for tag in _TAG.findall(sentence):
        if not tag.startswith("</"):
            found.append((tag, opened[-1]))
            if tag.startswith("<a"):
                opened.append(tag)
        elif opened.pop() != tag.replace("/", "", 1):
            return None
    return sorted(found) if opened == [""] else None


@st.composite
def nested(draw: st.DrawFn, depth: int = 3) -> str:
    """A sentence whose tags nest."""
    numbers = iter(range(1000))

    def content(depth: int) -> str:
        parts = [draw(_PIECES)]
        for _ in range(draw(st.integers(0, 3 if depth else 0))):
            number = next(numbers)
            if draw(st.integers(0, 4)):
                parts.append(f"<a/{number}>{content(depth - 1)}</a/{number}>")
            else:
                parts.append(f"<img/{number}>")
            parts.append(draw(_PIECES))
        return "".join(parts)

    return content(depth)


@given(nested(), st.data())
def test_whatever_the_order_of_words_and_tags_the_nesting_is_the_source_s(source: str, data: st.DataObject) -> None:
    atoms = [each for each in re.split(f"({TAG}|[ ])", source) if each]
    lost = data.draw(st.sets(st.integers(0, 20), max_size=2))
    translation = "".join(each for place, each in enumerate(data.draw(st.permutations(atoms))) if place not in lost)
    found = nest(source, translation)
    assert tree_of(found) == tree_of(source)
    assert _TAG.sub("", found) == _TAG.sub("", translation)


@given(nested())
def test_what_nests_stays_as_it_is_but_for_spaces(source: str) -> None:
    assert nest(source, source).replace(" ", "") == source.replace(" ", "")


@given(st.lists(st.sampled_from(["<a/0>", "</a/0>", "<a/1>", "</a/1>", "<img/2>", "</a/3>", "<a/4>", "x", " "])))
def test_every_tag_is_there_once_however_broken_the_source(parts: list[str]) -> None:
    source = "".join(dict.fromkeys(parts))
    found = nest(source, "".join(reversed(parts)))
    assert Counter(_TAG.findall(found)) == Counter(_TAG.findall(source))


@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("Click <a/0>Save</a/0> now", "Pulse <a/0>Guardar</a/0> ya", "Pulse <a/0>Guardar</a/0> ya"),
        ("Click <a/0>Save</a/0> now", "Pulse </a/0>Guardar<a/0> ya", "Pulse <a/0>Guardar</a/0> ya"),
        ("Click <a/0>Save</a/0> now", "Pulse<a/0> Guardar </a/0>ya", "Pulse <a/0>Guardar</a/0> ya"),
        ("Click <a/0>Save</a/0> now", "Pulse <a/0></a/0>Guardar ya", "Pulse <a/0>Guardar</a/0> ya"),
        ("Click <a/0>Save</a/0> now", "Pulse ya Guardar", "Pulse ya <a/0>Guardar</a/0>"),
        ("<a/0>a <a/1>b</a/1></a/0>", "<a/1>b</a/1> <a/0>a</a/0>", "<a/0><a/1>b</a/1> a</a/0>"),
        ("<a/0>a</a/0> <a/1>b</a/1>", "<a/1>b</a/1> <a/0>a</a/0>", "<a/1>b</a/1> <a/0>a</a/0>"),
        ("<a/0>a</a/0> <a/1>b c</a/1>", "<a/0>a <a/1>b</a/0> c</a/1>", "<a/0>a</a/0> <a/1>b c</a/1>"),
        ("<a/0>a</a/0> <img/1>", "<a/0>a <img/1> b</a/0>", "<a/0>a  b</a/0><img/1>"),
        ("<a/0>a \uf000</a/0> b", "<a/0>a</a/0> b \uf000", "<a/0>a</a/0> b \uf000"),
        ("<a/0>\uf000</a/0> b", "<a/0></a/0>b \uf000", "b <a/0>\uf000</a/0>"),
        ("a</a/0> <a/1>b", "<a/1>b</a/0> a", "b</a/0><a/1> a"),
        ("<a/0><a/1>x</a/0> y</a/1>", "x</a/1> y<a/0></a/0><a/1>", "x<a/0> y<a/1></a/0></a/1>"),
        ("no tags", "sin <a/0>marcas", "sin marcas"),
    ],
)
def test_tags_are_put_in_order(source: str, translation: str, expected: str) -> None:
    assert nest(source, translation) == expected


@pytest.mark.parametrize(
    "unit", ["<a/{0}>x</a/{0}>", "<a/{0}>x", "x</a/{0}>", "<img/{0}>", "</a/{0}><a/1{0}>", "x \uf000"]
)
def test_many_tags_take_time_that_grows_no_faster_than_they_do(unit: str) -> None:
    source = " ".join(unit.format(number) for number in range(5_000))
    assert nest(source, source.replace("x", "y"))

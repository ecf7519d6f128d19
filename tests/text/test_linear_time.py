"""The time of everything that reads a whole text grows with its length and no faster, whatever the text.

Hostile texts repeat what begins each rule. The exponent between two lengths is fitted to the least of several processor
times, which a busy machine does not change; what looks too steep is measured again, on longer texts.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from math import log

import pytest

from service.text.casing import casing_of
from service.text.clauses import cut_clauses
from service.text.markup.documents import cut_format
from service.text.markup.inline import nest
from service.text.paragraphs import cut
from service.text.pipeline import normalize, parts_of_symbol
from service.text.placeholders.items import without_edges
from service.text.placeholders.masking import mask
from service.text.spans import offset_table
from service.text.tokenizer import split_sentences

STEEPEST = 1.2
LENGTHS = (500, 4000)  # characters
LONGER = (4000, 32_000)  # for what looks steep
NUM_MEASUREMENTS = 5  # of what looks steep; a neighbour on the machine makes one of them steep, and not all
ALPHABET = frozenset(map(chr, range(32, 127)))


def others(text: str) -> None:
    """Read a text by what is quick."""
    casing_of(text)
    without_edges(text)
    parts_of_symbol(text)
    normalize(text)
    offset_table(text, "utf16")


FUNCTIONS: Mapping[str, Callable[[str], object]] = {
    "split_sentences": split_sentences,
    "cut": cut,
    "mask": lambda text: mask(text, ALPHABET),
    "html": lambda text: cut_format(text, "html").sentences,
    "markdown": lambda text: cut_format(text, "markdown").sentences,
    "cut_clauses": lambda text: cut_clauses(text, length_of=len, max_tokens=50),
    "nest": lambda text: nest(text, text),
    "others": others,
}
UNITS = [
    *"a I 1 é ' \" “ ’ . , ; ! … - — = * _ ~ # + < > | & % $ @ / \\ : ( ) [ ] { } ` ^ 😀 ½ € ℹ ① ❶ ² ٣".split(),
    *"aB a. U.S. Ph.D. e.g. don't cannot a-a anti- x*y in' C++ .NET 's A1 a_b a1b2 1, 1.2. 12: 1-2 (1) #1 5€".split(),
    *"http:// www.a a@b.c @a .@a a@ a/b/ C:\\a ~/ {0} {{a}} ${a} {{ %s %(a)s :a: __A__ COVID-1 w/ 1/2 \\u".split(),
    *"<b> <a/0> </a/0> <a <!-- <![CDATA[ <? <% <p> <li> <td> <code> </p> &amp; &#39; a&#39;s ![ ]( [a](b) ~~".split(),
    *"👩‍👩 🇪🇸 1️⃣ ‼️ a\u0301 \u0301 \u200d \ue000 \uf000 -_- :-) >_< <3 -5 2024-05-01T10:30:00Z".split(),
    *(" ", "\t", "\n", "\r\n", "\u2028", "a\n", "a, ", "its not ", "fig. 2 ", "5 min. a ", "no. 1 ", "a and b, "),
    *("- a\n", "> a\n", "1. a\n", "# a\n", "a\n===\n", "---\n", "~~~\n", "|a|b|\n|-|-|\n", "it is\nso it\n"),
    *("[a]: b\n", "<a b='", '<a "', "='\"", "1 234 ", "+1 ", "- ", " \n", "> "),
    *"a.a я {a [a]( _a &#1 /a A-1 A& é&eacute; 12345678-1234- :// :(( >_ 1\ufe0f 😀\u200d".split(),
]
# What a rule could look back or ahead at, before and behind what it is tried on again and again.
PAIRS = [
    *(("a", " I"), ("a", "its not "), ("it is so\n", "I. "), ("(", "a, "), ("<b>", "a. "), ("**a ", "](b)")),
    *(("A", "\u0301"), ("Aa The ", ".")),
]


def hostile(unit: str, size: int) -> str:
    """Make a text of a size: something long, and a unit again and again, with and without spaces."""
    spaced, tight, ends = f" {unit}", unit, " I."
    return "a" * (size // 4) + "".join(each * (size // 4 // len(each)) for each in (spaced, tight, ends))


def seconds(function: Callable[[str], object], text: str, tries: int = 1) -> float:
    """Return the least processor time of several tries, without the garbage collector, as timeit measures."""

    def once() -> float:
        began = time.thread_time()
        function(text)
        return time.thread_time() - began

    gc.disable()
    try:
        return min(once() for _ in range(tries))
    finally:
        gc.enable()


def exponent(short: float, long: float, lengths: tuple[int, int]) -> float:
    return log(max(long, 1e-6) / max(short, 1e-6)) / log(lengths[1] / lengths[0])


def steepness(function: Callable[[str], object], texts: Sequence[str], lengths: tuple[int, int] = LONGER) -> float:
    """Return the least exponent of several measurements, the first that is not too steep."""
    measured = []
    for _ in range(NUM_MEASUREMENTS):
        measured.append(exponent(*(seconds(function, text, 2) for text in texts), lengths))
        if measured[-1] <= STEEPEST:
            break
    return min(measured)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_time_is_linear_in_the_length_of_any_text(name: str) -> None:
    function = FUNCTIONS[name]
    for unit in UNITS:
        short, long = (hostile(unit, length) for length in LENGTHS)
        if exponent(seconds(function, short), seconds(function, long), LENGTHS) > STEEPEST:
            assert steepness(function, [hostile(unit, length) for length in LONGER]) <= STEEPEST, unit


@pytest.mark.parametrize("name", FUNCTIONS)
def test_time_is_linear_behind_something_long(name: str) -> None:
    for before, behind in PAIRS:
        texts = [before * (each // 2 // len(before)) + behind * (each // 2 // len(behind)) + " Aa" for each in LONGER]
        assert steepness(FUNCTIONS[name], texts) <= STEEPEST, (before, behind)


def test_a_quadratic_function_is_found_out() -> None:
    def pairs(text: str) -> int:
        return sum(text.count(letter) for letter in text)

    assert steepness(pairs, ["a" * length for length in LENGTHS], LENGTHS) > STEEPEST

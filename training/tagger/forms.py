"""A grammar of templates: slots that hold alternatives, which hold slots again (``templates/*.txt``).

``{MONEY}`` is one form of MONEY, chosen at random; of ``<rose|fell>`` one is chosen. Numbers need no list:
``{3-28}`` lies between two bounds, ``{03-28}`` has two digits, ``{~1-99}`` a decimal, ``{#4-9}`` is so many digits,
``{^5}`` a number below 10 to the fifth whose thousands are grouped or not, ``{@}`` a capital letter and ``{ordinal}``
one of a day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).with_name("templates")
SLOT = re.compile(r"\{([^{}]+)\}")
_CHOICE = re.compile(r"<([^<>{}]*(?:\{[^{}]*\}[^<>{}]*)*)>")
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
Rng = np.random.Generator


class UnknownSlotError(KeyError):
    """A slot in a template for which there is no list."""


def read_lines(name: str) -> list[str]:
    """The lines of one file of templates without comments and empty lines."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def read_forms(*files: str) -> dict[str, list[str]]:
    """The forms of each slot; a slot may have several lines. A backslash protects the character after it."""
    forms: dict[str, list[str]] = {}
    for line in (line for file in files for line in read_lines(file)):
        slot, _, listed = line.partition(": ")
        forms.setdefault(slot, []).extend(form.strip(" ").replace("\\", "") for form in listed.split("; "))
    return forms


class Forms:
    """A generator of texts for slots. ``alternatives`` are the forms by slot."""

    def __init__(self, alternatives: Mapping[str, Sequence[str]]) -> None:
        self._alternatives = alternatives

    def __call__(self, slot: str, rng: Rng) -> str:
        """A random text for a slot. Raises UnknownSlotError."""
        for shape, make in _NUMBERS:
            if match := shape.fullmatch(slot):
                return make(match, rng)
        alternatives = self._alternatives.get(slot)
        if not alternatives:
            raise UnknownSlotError(slot)
        form = choose(alternatives[int(rng.integers(len(alternatives)))], rng)
        return SLOT.sub(lambda match: self(match.group(1), rng), form)


def choose(template: str, rng: Rng) -> str:
    """The template with one alternative of each choice."""

    def pick(match: re.Match[str]) -> str:
        options = match.group(1).split("|")
        return options[int(rng.integers(len(options)))]

    while _CHOICE.search(template):
        template = _CHOICE.sub(pick, template)
    return template


def _between(match: re.Match[str], rng: Rng) -> str:
    low, high = match.groups()
    value = int(rng.integers(int(low), int(high) + 1))
    return f"{value:0{len(high)}}" if low.startswith("0") and len(low) == len(high) else str(value)


def _decimal(match: re.Match[str], rng: Rng) -> str:
    low, high = map(int, match.groups())
    return f"{rng.uniform(low, high):.{int(rng.integers(1, 3))}f}"


def _digits(match: re.Match[str], rng: Rng) -> str:
    low, high = match.groups()
    return "".join(map(str, rng.integers(0, 10, int(rng.integers(int(low), int(high or low) + 1)))))


def _grouped(match: re.Match[str], rng: Rng) -> str:
    value = int(10 ** rng.uniform(0.5, int(match.group(1))))
    return f"{value:,}" if rng.random() < 0.7 else str(value)


def _letter(match: re.Match[str], rng: Rng) -> str:
    return chr(ord("A") + int(rng.integers(26)))


def _ordinal(match: re.Match[str], rng: Rng) -> str:
    value = int(rng.integers(1, 32))
    return f"{value}{'th' if 10 < value < 14 else _ENDINGS.get(value % 10, 'th')}"


_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Rng], str]], ...] = (
    (re.compile(r"(\d+)-(\d+)"), _between),
    (re.compile(r"~(\d+)-(\d+)"), _decimal),
    (re.compile(r"#(\d+)(?:-(\d+))?"), _digits),
    (re.compile(r"\^(\d)"), _grouped),
    (re.compile(r"@"), _letter),
    (re.compile(r"ordinal"), _ordinal),
)

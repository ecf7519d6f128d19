"""Long sentences are cut at the borders of their clauses, to be translated in parts that are joined again.

A recurrent network loses clauses of long sentences. ``cut_clauses`` halves a sentence, and its halves, until each part
is short enough; ``join_clauses`` puts between their translations what stood between the parts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.text.pairs import partners
from service.text.placeholders.items import scan
from service.text.spans import Stretch, stretch_of

Places = npt.NDArray[np.int64]

# How bad it is to cut at a border, and how much worse at the edge of a part than in its middle.
STRONG, COMMA_AND_CONJUNCTION, COMMA, CONJUNCTION, LIST_COMMA, SPACE, TIGHT_SPACE = 0.0, 0.06, 0.15, 0.22, 0.3, 1.0, 1.5
EDGE = 0.5
# Borders nearer to an edge, from 0 in the middle of a part to 1 at its edges, are taken only if there is no other.
FARTHEST = 0.7
# No border inside brackets or quotation marks is taken while there is one outside, none beside a protected item (a
# number, a placeholder, markup, code) that touches its neighbour while there is white space, and none inside of one.
FREE, QUOTED, BESIDE_ITEM, PROTECTED = 0, 1, 2, 3
LIST_WORDS = 3  # commas with so few words between them part the items of a list
MAX_MARKS = 32  # of one letter, that are kept with it

CONJUNCTIONS = frozenset(
    """after although and as because before but however if nor or since so than that then though unless until when
    where whereas which while who whose yet
    aunque como cuando mientras o pero porque pues que quien si sino y
    aber als bevor bis da damit dass denn nachdem ob obwohl oder sobald sodass sondern und während weil wenn wobei
    afin comme donc et lorsque mais ou où parce pendant puis puisque quand quoique tandis""".split()
)
_GAP = re.compile(r"(?:[,;:—]?\s++(?:—\s*+|--?\s++|–\s++)?)+|(?<=\w)—(?=\w)")
_WORD = re.compile(r"[^\W\d_]{1,12}(?!\w)")
_QUOTE = re.compile(r"[()\[\]{}“”„«»\"]|(?<!\w)'(?=\w)|(?<=[\w.,!?…])'(?!\w)")
_CLOSERS = {"(": ")", "[": "]", "{": "}", "“": "”", "„": "“", "«": "»", "»": "«", '"': '"', "'": "'"}
_JOINER = "\u200d"
_CHANGES_EMOJI = frozenset((_JOINER, *map(chr, range(0x1F3FB, 0x1F400))))  # the joiner and skin tones
_FIRST_WORD = re.compile(r"[\W_]*+(\w[\w'’]*+)?")
_SPACED_MARK = re.compile(r"[;:]")  # French has a space before them
_ABBREVIATION = re.compile(r"(?:\.\s?\w{1,4}|\b(?:etc|usw|bzw|p\. ej|approx|env))\.$", re.IGNORECASE)
# Words that are written small in the middle of a German sentence; of others the network knows best.
_SMALL_IN_GERMAN = frozenset(
    """aber als am an auch auf aus bei beim bis da damit dann das dass dem den denn der des deshalb die dies diese
    dieser doch ein eine einem einen einer er es für hat hatte ich im in ist man mein meine mit nach nicht noch nur ob
    obwohl oder seine sein sind so sobald sodass sondern über um und unter vom von vor während war waren was weil welche
    welcher wenn wer wie wir wird wo wobei zu zum zur""".split()
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Borders:
    """Where a sentence could be cut, from left to right."""

    ends: Places  # (border,), of the part before it
    starts: Places  # (border,), of the part after it
    costs: npt.NDArray[np.float64]  # (border,)
    levels: Places  # (border,), from FREE to PROTECTED


def cut_clauses(text: str, *, length_of: Callable[[str], int], max_tokens: int) -> list[Stretch]:
    """The parts of a sentence in order, each with at most ``max_tokens`` tokens by ``length_of``; one if that is all.

    No part is empty or begins or ends with white space; commas, semicolons, colons and dashes between two parts belong
    to neither. White space has no parts. A single character is never cut, whatever its length. Takes
    O(n log n) time in the length of the text, ``length_of`` aside, which reads O(n log n) characters.
    """
    whole = stretch_of(text)
    if whole.start >= whole.end:
        return []

    def is_short(part: Stretch) -> bool:
        return part.end - part.start == 1 or length_of(part.within(text)) <= max_tokens

    if is_short(whole):
        return [whole]
    borders, parts = _borders(text, whole), list[Stretch]()
    waiting = _halves(text, whole, borders)[::-1]
    while waiting:
        part = waiting.pop()
        if is_short(part):
            parts.append(part)
        else:
            waiting += _halves(text, part, borders)[::-1]
    return parts


def halve_clauses(text: str) -> list[Stretch]:
    """The two parts of a sentence that is cut once, at its best border; none if it has no border."""
    whole = stretch_of(text)
    borders = _borders(text, whole)
    return _halves(text, whole, borders) if _best_border(whole, borders) is not None else []


def _halves(text: str, part: Stretch, borders: _Borders) -> list[Stretch]:
    """The two parts of one that has two characters or more, as equal as the best border allows."""
    border = _best_border(part, borders)
    if border is None:
        middle = _between_characters(text, part)
        return [Stretch(part.start, middle), Stretch(middle, part.end)]
    return [Stretch(part.start, int(borders.ends[border])), Stretch(int(borders.starts[border]), part.end)]


def _best_border(part: Stretch, borders: _Borders) -> int | None:
    """The index of the border where a part is best cut, if it has one."""
    first = int(np.searchsorted(borders.ends, part.start, side="right"))
    last = int(np.searchsorted(borders.starts, part.end, side="left"))
    if first >= last:
        return None
    levels = borders.levels[first:last]
    places = first + np.flatnonzero(levels == levels.min())
    distances = np.abs(2 * borders.ends[places] - (part.start + part.end)) / (part.end - part.start)
    is_near = distances <= FARTHEST
    if not is_near.any():
        return int(places[distances.argmin()])
    costs = np.where(is_near, borders.costs[places] + EDGE * distances, np.inf)
    return int(places[costs.argmin()])


def _between_characters(text: str, part: Stretch) -> int:
    """A place near the middle where no mark is parted from its letter."""
    middle = (part.start + part.end) // 2
    for place in range(middle, min(middle + MAX_MARKS, part.end)):
        # Accents, and what changes or joins emoji, belong to the character before.
        is_mark = text[place] in _CHANGES_EMOJI or unicodedata.category(text[place])[0] == "M"
        if not is_mark and text[place - 1] != _JOINER:
            return place
    return middle


def _borders(text: str, whole: Stretch) -> _Borders:
    """White space with marks around it, dashes between words, and edges of protected items that touch other text."""
    gaps = [gap for gap in _GAP.finditer(text, whole.start, whole.end) if whole.start < gap.start()]
    ends = np.array([gap.start() for gap in gaps], np.int64)
    costs = np.array([_cost(text, gap) for gap in gaps], np.float64)
    commas = np.flatnonzero([_is_comma(gap[0]) for gap in gaps])
    costs[commas[_are_near(commas)]] = LIST_COMMA
    levels = QUOTED * _is_inside(ends, list(_quotations(text)))
    items = [(item.start, item.end) for item in scan(text)]
    is_protected = _is_inside(ends, items)
    # Nor is a number cut, as in ``May 5, 2024``.
    digits = [text[gap.start() - 1].isdigit() and text[gap.end() : gap.end() + 1].isdigit() for gap in gaps]
    is_protected |= np.array(digits, np.bool_)
    levels[is_protected] = PROTECTED
    starts = np.array([gap.end() for gap in gaps], np.int64)
    edges = _edges(items, whole, ends, starts)
    order = np.argsort(np.concatenate((ends, edges)), kind="stable")
    return _Borders(
        ends=np.concatenate((ends, edges))[order],
        starts=np.concatenate((starts, edges))[order],
        costs=np.concatenate((costs, np.full(len(edges), TIGHT_SPACE)))[order],
        levels=np.concatenate((levels, np.full(len(edges), BESIDE_ITEM)))[order],
    )


def _edges(items: Sequence[tuple[int, int]], whole: Stretch, ends: Places, starts: Places) -> Places:
    """Where items begin and end inside of the text, other than at or in a border from one of ``ends`` to ``starts``."""
    places = np.unique(np.array(items, np.int64))
    places = places[(places > whole.start) & (places < whole.end)]
    is_apart = np.searchsorted(ends, places, side="right") == np.searchsorted(starts, places, side="left")
    return np.asarray(places[is_apart])


def _cost(text: str, gap: re.Match[str]) -> float:
    """How bad it is to cut here, lists, quotations and numbers aside."""
    before = text[max(0, gap.start() - 3) : gap.start()].rstrip("\"'”»)")[-1:]
    word = _WORD.match(text, gap.end())
    begins_clause = word is not None and word[0].lower() in CONJUNCTIONS
    if before in {*"!?…;:"} or any(mark in gap[0] for mark in ";:—–-"):
        return STRONG
    if before == "," or _is_comma(gap[0]):
        return COMMA_AND_CONJUNCTION if begins_clause else COMMA
    if begins_clause:
        return CONJUNCTION
    is_tight = before == "." or before.isdigit() or text[gap.end() : gap.end() + 1].isdigit()
    return TIGHT_SPACE if is_tight else SPACE


def _is_comma(gap: str) -> bool:
    return "," in gap and not any(mark in gap for mark in ";:—–")


def _are_near(commas: Places) -> npt.NDArray[np.bool_]:
    """Which of the commas (comma,), given as indices of borders, have another within LIST_WORDS words."""
    far = 2 * LIST_WORDS
    distances = np.diff(commas, prepend=commas[:1] - far, append=commas[-1:] + far)
    return np.asarray(np.minimum(distances[:-1], distances[1:]) <= LIST_WORDS)


def _is_inside(ends: Places, spans: Sequence[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Which borders (border,) have a span around them; spans may hold others."""
    opened = np.sort(np.array([start for start, _ in spans], np.int64))
    closed = np.sort(np.array([end for _, end in spans], np.int64))
    depths = np.searchsorted(opened, ends, side="left") - np.searchsorted(closed, ends, side="right")
    return np.asarray(depths > 0)


def _quotations(text: str) -> Iterator[tuple[int, int]]:
    """Where brackets and quotation marks that have a partner open and close."""
    marks = list(_QUOTE.finditer(text))
    for place, partner in enumerate(partners((_CLOSERS.get(mark[0]), mark[0]) for mark in marks)):
        if partner is not None and partner > place:
            yield marks[place].start(), marks[partner].end()


def join_clauses(text: str, parts: Sequence[Stretch], translations: Sequence[str], *, language: str) -> list[str]:
    """The translations of a sentence's parts and what stands between them, in order; joined they are the sentence's. A
    network writes each part as a sentence: the full stop that it adds to a part without one is removed, and so is the
    capital that it begins a part with which continues the sentence. ``language`` is the translation's."""
    if not parts:
        return [text]
    pieces = [text[: parts[0].start]]
    for number, (part, translation) in enumerate(zip(parts, translations, strict=True)):
        source = part.within(text)
        translated = translation if source.endswith(".") else _without_stop(translation)
        pieces.append(_continued(translated, source, language) if number else translated)
        following = parts[number + 1].start if number + 1 < len(parts) else len(text)
        gap = text[part.end : following]
        pieces.append(f" {gap}" if language == "fr" and _SPACED_MARK.match(gap) else gap)
    return pieces


def _without_stop(translation: str) -> str:
    """Return a translation without the full stop at its end, unless that is one of several or an abbreviation's."""
    is_single = translation.endswith(".") and not translation.endswith("..")
    return translation[:-1] if is_single and not _ABBREVIATION.search(translation[-12:]) else translation


def _continued(translation: str, source: str, language: str) -> str:
    """A part's translation as it is written in the middle of a sentence, if its source was."""
    first, found = _FIRST_WORD.match(source), _FIRST_WORD.match(translation)
    if first is None or found is None or not first[1] or not found[1]:
        return translation
    word = found[1]
    is_small = first[1][0].islower() or re.match(r"I(?!\w)", first[1]) is not None
    if not is_small or any(map(str.isupper, word[1:])) or word in re.findall(r"\w[\w'’]*", source):
        return translation  # a name keeps its capital
    if language == "de" and word.lower() not in _SMALL_IN_GERMAN:
        return translation
    return translation[: found.start(1)] + word[0].lower() + translation[found.start(1) + 1 :]

"""Dates and times found by rule, and the line between DATE and TIME.

Each word becomes one letter (its kind: ``M`` a month, ``N`` a small number, ...), so that a sentence is a string and an
expression a regular expression over it. The rules follow OntoNotes 5 (BBN's guidelines for names, dates and values):

- TIME is what is shorter than a day: clock times (``5 p.m.``, ``17:30 GMT``, ``noon``), parts of a day (``tonight``,
  ``Friday evening``, ``last night``) and durations in hours, minutes or seconds (``two hours``, ``a 30-minute call``).
- Everything else is DATE: days, weeks, months, quarters, years, and durations in them.
- A clock time and the day that stands beside it are one TIME (``5 p.m. tomorrow``, ``9 am on Monday`` is two).
- A span includes what narrows it: ``next Tuesday``, ``late March``, ``the last three years``, ``two weeks ago``,
  ``the end of the year``. A leading preposition (``in``, ``by``) or quantity word (``about``) is outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from service.text.spans import Span

_WORDS: dict[str, str] = {
    "D": "monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays "
    "saturdays sundays",
    "M": "january february april june july august september october november december",
    "U": "day days week weeks month months year years quarter decade decades century centuries fortnight "
    "weekend weekends",
    "H": "hour hours hr hrs minute minutes min mins seconds secs",
    "P": "morning afternoon evening night mornings afternoons evenings nights",
    "X": "noon midnight midday",
    "R": "today tomorrow yesterday",
    "T": "tonight",
    "Q": "next last this past previous coming upcoming following current every each",
    "q": "early late mid",
    "l": "later earlier",
    "b": "business working",
    "G": "ago",
    "i": "in since by until till from during before after around on at between for to through within over",
    "f": "of",
    "t": "the",
    "a": "a an",
    "h": "half",
    "&": "and",
    "z": "end beginning start middle close",
    "y": "fiscal financial calendar tax academic school",
    "S": "spring summer autumn winter",
    "J": "christmas easter thanksgiving ramadan halloween",
    "j": "eve day",
    "W": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred several few couple",
    "w": "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth",
    "A": "am pm a.m. p.m. a.m p.m",
    "K": "o'clock o’clock",
    "-": "- – —",
    ",": ",",
    ".": ".",
    "~": "old",
    "@": "now",
    "e": "new",
    "s": "'s ’s",
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split() if (word, kind) != ("day", "j")}
_CASED = {
    **dict.fromkeys(
        "May March Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Jan. Feb. Mar. Apr. Jun. Jul.".split(), "m"
    ),
    **dict.fromkeys("Aug. Sep. Sept. Oct. Nov. Dec.".split(), "m"),
    **dict.fromkeys("GMT UTC EST EDT PST PDT CET CEST BST ET PT IST CST".split(), "Z"),
    **dict.fromkeys(("Mon", "Tue", "Tues", "Wed", "Thu", "Thurs", "Fri"), "D"),
}
_SHAPES = tuple(
    (re.compile(shape, re.IGNORECASE), kind)
    for shape, kind in (
        (r"\d{1,2}[/.]\d{1,2}[/.](?:19|20)?\d\d", "d"),
        (r"(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?", "C"),
        (r"(?:0?\d|1[0-2])\.[0-5]\d", "c"),
        (r"(?:1\d|20)\d\d", "Y"),
        (r"(?:mid-)?(?:(?:1\d|20)\d0|['’]?\d0)s", "E"),
        (r"\d{1,2}(?:st|nd|rd|th)", "O"),
        (r"\d{1,2}", "N"),
        (r"\d[\d,.]*", "n"),
        (r"[qh][1-4]", "k"),
        (r"fy(?:\d\d|20\d\d)(?:/\d\d)?", "F"),
    )
)


@lru_cache(maxsize=1 << 17)
def kind_of(word: str) -> str:
    """The letter of one word; ``x`` for any word that no expression holds."""
    if word in _CASED:
        return _CASED[word]
    if word.lower() in _KINDS:
        return _KINDS[word.lower()]
    if word.lower().startswith("mid-") and word[4:]:
        rest = kind_of(word[4:])
        return rest if rest in "MmDEYUS" else "x"
    return next((kind for shape, kind in _SHAPES if shape.fullmatch(word)), "x")


_COUNT = r"(?:aW|W(?:-?W)*|N-N|[Nn]|a)f?"
_DAY = (
    r"(?:(?:D,?)?(?:(?:M|m\.?)(?:[NO](?:-N)?)(?:,?Y(?!-?U))?|t?(?:N(?:-N)?f?|Of?)(?:M|m\.?)(?:,?Y)?)"
    r"|(?:M|m\.?),?f?Y(?!-?U))"
)
_PERIOD = rf"(?:{_DAY}|M|t?Q?y?U|Y|kY?|D|t?S|tE)"
_CLOCK = r"(?:(?:[NCc]-)?[NCc]A|[NW]K|CZ|(?<=i)C|X)Z?"
_PART = r"(?:q?(?:[DR]|Q|DQ)P|q?T)"


def _compiled(*rules: str) -> tuple[re.Pattern[str], ...]:
    """The compiled pattern. ``q`` stands for ``l`` too: expressions with early or late also take earlier or later."""
    return tuple(re.compile(rule.replace("q", "[ql]")) for rule in rules)


TIME_RULES = _compiled(
    _CLOCK,
    _PART,
    rf"{_CLOCK},?(?:{_PART}|[RD](?!-)|{_DAY})",
    rf"(?:{_PART}|[RD]){_CLOCK}",
    r"[NWC]A?(?<!i)itP",  # 9 in the morning
    rf"t?Q?{_COUNT}H(?:G|l|i@)?(?!-?~)|(?:W(?:-W)?|[Nn])-H(?!-?~)",
    r"haH(?:G|l|i@)?|aH&ah|tQH|QH",
)
DATE_RULES = _compiled(
    r"d|Y-N-N|F",
    rf"q?{_DAY}",
    r"q?[MD]|l?R|tUiR|(?<=i)m(?!x?[Nn])",
    r"q?Q(?:[DMmJ]|t?S)|q?t?Q(?:y?U|(?:W(?:-?W)*|N|n)U)(?!-?~)|q?Qmf?Y?",
    rf"{_COUNT}U(?:G|l|i@)(?!-?~)|(?:aW|W(?:-?W)*|[Nn])f?b?U(?!-?~)|(?:W(?:-W)?|[Nn])-U(?!-?~)",
    r"(?<=i)q?Y(?:-[YN])?(?![-]?[UH])|(?<=Y&)Y|(?<=Yi)Y|qY|(?<=f)Y",
    rf"t?q?[Ow]-?[Uh](?:f{_PERIOD})?|t?(?:Q|q)-?hf{_PERIOD}",
    r"t?q?-?E|(?<=i)q?-?tE",
    r"kf?Y?(?:F)?|yUY?|yY|U-z",
    r"t?q?Sf?Y|(?<=i)tS",
    rf"t?zf{_PERIOD}",
    r"Q?J[jU]?Y?|eUs[jU]",
)
_NEVER_FIRST = frozenset("x,.-&fisGA~@Zbj")
_SHORTER_THAN_A_DAY = re.compile(r"[HPXTAKZC]")
_NARROWS_BEFORE = frozenset("Qql")
_TAKES_ARTICLE = frozenset("OEwQSz")


def kinds_of(words: Sequence[str]) -> str:
    """The letters of words, one a word."""
    return "".join(map(kind_of, words))


def time_spans(words: Sequence[str]) -> list[Span]:
    """Every expression that matches a rule, DATE or TIME; the longest at each place, from left to right."""
    kinds = kinds_of(words)
    spans, i = [], 0
    while i < len(kinds):
        if kinds[i] in _NEVER_FIRST:
            i += 1
            continue
        end = max(_ends(DATE_RULES, kinds, i), default=i)
        end = max(end, max(_ends(TIME_RULES, kinds, i), default=i))
        if end > i:
            spans.append(Span(label_of(kinds[i:end]), i, end))
        i = max(end, i + 1)
    return spans


def _ends(rules: Iterable[re.Pattern[str]], kinds: str, start: int) -> list[int]:
    return [match.end() for rule in rules if (match := rule.match(kinds, start))]


def label_of(kinds: str) -> str:
    """TIME if any word of the expression is shorter than a day, else DATE."""
    return "TIME" if _SHORTER_THAN_A_DAY.search(kinds) else "DATE"


def widen(span: Span, words: Sequence[str], *, taken: frozenset[int]) -> Span:
    """The annotated expression with the words that narrow it (``next``, ``late``, ``the``, ``ago``), as far as they are
    not in ``taken``. If a rule finds a longer expression around it, that one."""
    kinds = kinds_of(words)
    start, end = span.start, span.end
    for found in time_spans(words):
        holds = found.start <= start and found.end >= end
        if holds and taken.isdisjoint(range(found.start, found.end)):
            start, end = found.start, found.end
    while start and kinds[start - 1] in _NARROWS_BEFORE and start - 1 not in taken:
        start -= 1
    if start and kinds[start - 1] == "t" and kinds[start] in _TAKES_ARTICLE and start - 1 not in taken:
        start -= 1
    if end < len(words) and kinds[end] == "G" and end not in taken:
        end += 1
    return Span(label_of(kinds[start:end]), start, end)

"""Sums of money and percentages found by rule: a sign before a number, or a unit behind one.

A span holds the sign, the number with its scale words, and currency or unit: ``-$5``, ``A$20``, ``€ 3 million``,
``500 US dollars``, ``five euros``, ``20 %``, ``minus 3 percent``. Words such as ``about`` or ``more than`` are outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from service.text.spans import Span

_SIGNS = frozenset("$ £ € ¥ ₹ ₩ ₽ ₺ ₴ ₦ ₱ ₪ ฿ us$ a$ au$ c$ ca$ nz$ hk$ s$ r$ $$".split())
_DOLLARS = frozenset("A AU C CA NZ HK S SG R US".split())  # prefixes that the tokenizer separates from the dollar sign
CODES = frozenset(
    "USD EUR GBP JPY CHF CAD AUD NZD CNY INR SEK NOK DKK PLN CZK HUF BRL MXN ZAR SGD HKD KRW TRY AED SAR THB".split()
)
_CURRENCY_WORDS = (
    "dollar euro cent rupee peso franc rouble ruble shekel dinar dirham riyal zloty forint quid buck krona krone pence "
    "yen yuan renminbi kronor kroner baht ringgit rand lira naira real reais"
).split()
_CURRENCIES = f"(?:{'|'.join(_CURRENCY_WORDS)})s?"
_UNITS = re.compile(rf"{_CURRENCIES}|[€£₹¥₩₽₺$¢]|usd|eur|gbp", re.IGNORECASE)
_POUNDS = re.compile(r"pounds?", re.IGNORECASE)  # money or weight: money only with other evidence
_NATIONS = frozenset(
    "us u.s. american canadian australian singapore hong kong new zealand british swiss french indian mexican swedish "
    "norwegian danish japanese chinese sterling taiwan".split()
)
_NUMBER = re.compile(r"\d[\d,.]*(?:[kmb]|bn|mn)?|\d+(?:[.,]\d+)*", re.IGNORECASE)
_WORDS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety several".split()
)
_SCALES = frozenset(
    "hundred thousand million billion trillion hundreds thousands millions billions k m b bn mn".split()
)
_PERCENT = frozenset("% ％ percent pct percentage-point percentage-points".split())
_TRIGGERS = frozenset(  # without one of these there is no amount
    (*_SIGNS, *_PERCENT, *_CURRENCY_WORDS, *(f"{word}s" for word in _CURRENCY_WORDS), *map(str.lower, CODES))
).union("¢ per percentage rs rs. pound pounds".split())
_MINUS = frozenset(("-", "−", "–", "+", "minus"))
# A hyphen is a minus only if there is nothing before it that it could join.
_BEFORE_MINUS = frozenset("of to at was is by from : ( , a an and or for with in showed shows be fell rose".split())
_ARTICLES = frozenset(("a", "an", "half"))


def amount_spans(words: Sequence[str]) -> list[Span]:
    """All sums of money (MONEY) and percentages (PERCENT), from left to right."""
    lowered = [word.lower() for word in words]
    spans: list[Span] = []
    if _TRIGGERS.isdisjoint(lowered):
        return spans
    i = 0
    while i < len(words):
        span = _signed_sum(words, lowered, i) or _counted(words, lowered, i)
        if span:
            spans.append(span._replace(start=_with_minus(lowered, span.start)))
        i = max(span.end, i + 1) if span else i + 1
    return spans


def _signed_sum(words: Sequence[str], lowered: Sequence[str], start: int) -> Span | None:
    """A sum that begins with a sign: ``$ 5 million``, ``A $ 20``, ``USD 500``, ``Rs . 500``, ``$ 5 - 10``."""
    i = start
    if words[i] in _DOLLARS and lowered[i + 1 : i + 2] == ["$"]:
        i += 2
    elif lowered[i] in ("rs", "rs."):
        i += 1 + (lowered[i + 1 : i + 2] == ["."])
    elif lowered[i] in _SIGNS or words[i] in CODES:
        i += 1
    else:
        return None
    end = _number_end(lowered, i)
    if end == i:
        return None
    if lowered[end : end + 1] in (["-"], ["–"]) and _number_end(lowered, end + 1) > end + 1:
        end = _number_end(lowered, end + 1)
    if end < len(words) and (words[end] in CODES or _UNITS.fullmatch(words[end])) and words[end] not in _SIGNS:
        end += 1
    return Span("MONEY", start, end)


def _counted(words: Sequence[str], lowered: Sequence[str], start: int) -> Span | None:
    """A number with a unit behind it: ``20 %``, ``five dollars``, ``5 € ``, ``3 million US dollars``,
    ``millions of euros``."""
    end = _number_end(lowered, start, words_too=True)
    if end == start and lowered[start] in _ARTICLES:
        end = start + 1 + (lowered[start + 1 : start + 2] in (["a"], ["an"], ["few"], ["couple"]))
        end = end if end < len(words) and (lowered[end] in _SCALES or _CURRENCY(lowered[end])) else start
        while end > start and end < len(words) and lowered[end] in _SCALES:
            end += 1
    if end == start or end >= len(words):
        return None
    scaled = any(word in _SCALES for word in lowered[start:end])
    if lowered[end] == "of" and lowered[end - 1] in ("millions", "billions", "thousands", "hundreds"):
        end += 1
    for unit in (_percent_end, _currency_end):
        found = unit(words, lowered, end, scaled)
        if found:
            return Span("PERCENT" if unit is _percent_end else "MONEY", start, found)
    return None


_CURRENCY: Callable[[str], object] = re.compile(_CURRENCIES, re.IGNORECASE).fullmatch


def _percent_end(words: Sequence[str], lowered: Sequence[str], i: int, scaled: bool) -> int:
    if lowered[i] in _PERCENT:
        return i + 1
    if lowered[i : i + 2] == ["per", "cent"]:
        return i + 2
    is_points = lowered[i] == "percentage" and lowered[i + 1 : i + 2] in (["point"], ["points"])
    return i + 2 if is_points else 0


def _currency_end(words: Sequence[str], lowered: Sequence[str], i: int, scaled: bool) -> int:
    while i < len(words) and lowered[i] in _NATIONS:
        i += 1
    if i == len(words):
        return 0
    known = words[i] in CODES or _UNITS.fullmatch(words[i]) or (scaled and _POUNDS.fullmatch(words[i]))
    ends_there = known and not (words[i] in ("$", "£", "€") and _number_end(lowered, i + 1) > i + 1)
    return i + 1 if ends_there else 0


_JOINS: dict[str, Callable[[str], bool]] = {  # inside a number: ``twenty-five``, ``10-20``, ``one hundred and fifty``
    "-": lambda before: before not in _SCALES,
    "–": lambda before: before not in _SCALES,
    "and": lambda before: before in _SCALES,
}


def _number_end(lowered: Sequence[str], start: int, *, words_too: bool = False) -> int:
    end = start
    while end < len(lowered):
        word = lowered[end]
        is_number = _NUMBER.fullmatch(word) or (
            word in _SCALES and (end > start or (words_too and word.endswith("ions")))
        )
        if not is_number and not (words_too and word in _WORDS):
            joins = words_too and end > start and _JOINS.get(word, lambda before: False)(lowered[end - 1])
            if not (joins and _number_end(lowered, end + 1, words_too=True) > end + 1):
                break
        end += 1
    return end


def _with_minus(lowered: Sequence[str], start: int) -> int:
    if not start or lowered[start - 1] not in _MINUS:
        return start
    alone = lowered[start - 1] == "minus" or start == 1 or lowered[start - 2] in _BEFORE_MINUS
    return start - 1 if alone else start

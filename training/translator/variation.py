"""Preparation of the training pairs, and their variation in each epoch.

Numbers, names and other protected items are replaced by numbered symbols on both sides, and the network learns to write
each symbol at the place of its item (Luong et al. 2015, "Addressing the rare word problem"). Markup is taken out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from service.text.placeholders.items import Item, key, scan
from service.text.placeholders.masking import (
    NAME_SYMBOLS,
    NUMBER_SYMBOLS,
    SYMBOLS,
    SYMBOLS_PER_CLASS,
    compose,
    mask_items,
)
from training.corpora.parallel import Pair
from training.translator.config import VariationConfig

Rng = np.random.Generator

_NAME = re.compile(r"\b[A-ZÀ-Þ][a-zß-ÿ]{2,}\b")
_FINAL = re.compile(r"\s*[.!?]$")
_SYMBOL = re.compile(f"[{SYMBOLS[0]}-{SYMBOLS[-1]}]")
_WORD = re.compile(r"(?<![^\W\d_]['’])\b[^\W\d_]+")
_SMALL_WORDS = frozenset("a an the and or but nor of in on at to for by from with as vs via per".split())


def mask_pair(pair: Pair, alphabet: frozenset[str], rng: Rng | None = None) -> Pair | None:
    """The pair with the same symbol for the same item on both sides, and without markup.

    None if one side has an item that the other lacks, except numbers in another format. With ``rng``, symbols are
    drawn; see number_symbols.
    """
    source, target = compose(pair.source), compose(pair.target)
    items, others = scan(source, alphabet), scan(target, alphabet)
    if not items and not others:
        return pair
    if len(items) != len(others) or Counter(map(_identity, items)) != Counter(map(_identity, others)):
        return None
    contents = [item for item in items if item.kind != "markup"]
    symbols = _symbols([item.kind == "number" for item in contents], rng)
    waiting = defaultdict(list)
    for item, symbol in zip(reversed(contents), reversed(symbols), strict=True):
        waiting[_identity(item)].append(symbol)
    matched = [waiting[_identity(item)].pop() for item in others if item.kind != "markup"]
    texts = mask_items(source, items, symbols).text, mask_items(target, others, matched).text
    source, target = (" ".join(text.split()) for text in texts)
    return replace(pair, source=source, references=(target,)) if source and target else None


def _identity(item: Item) -> tuple[str, str]:
    return item.kind, key(item)


def _symbols(are_numbers: Sequence[bool], rng: Rng | None) -> list[str]:
    """A symbol for each content item of a source, in order; increasing within a class, unless it has more than 16."""
    num_numbers = sum(are_numbers)
    numbers = iter(_increasing(NUMBER_SYMBOLS, num_numbers, rng))
    names = iter(_increasing(NAME_SYMBOLS, len(are_numbers) - num_numbers, rng))
    return [next(numbers if is_number else names) for is_number in are_numbers]


def _increasing(symbols: Sequence[str], count: int, rng: Rng | None) -> list[str]:
    if rng is None or count > SYMBOLS_PER_CLASS:
        return [symbols[i % SYMBOLS_PER_CLASS] for i in range(count)]
    if count == 1:
        return [symbols[rng.integers(SYMBOLS_PER_CLASS)]]
    return [symbols[i] for i in np.sort(rng.permutation(SYMBOLS_PER_CLASS)[:count]).tolist()]


@dataclass(frozen=True, slots=True)
class RandomVariation:
    """A variation of masked pairs that changes in every epoch; symbols are drawn anew each time."""

    config: VariationConfig

    def __call__(self, pair: Pair, rng: Rng) -> Pair:
        config, chance = self.config, rng.random(6)
        if chance[0] < config.hidden_name:
            pair = _repeated(hide_name, pair, rng)
        if chance[1] < config.drop_final_punctuation:
            pair = both(pair, _FINAL.sub("", pair.source), _FINAL.sub("", pair.target))
        if chance[2] < config.added_placeholder:
            pair = _repeated(add_placeholder, pair, rng)
        if chance[3] < config.lowercase:
            pair = replace(pair, source=pair.source.lower())
        elif chance[4] < config.uppercase:
            pair = both(pair, pair.source.upper(), pair.target.upper())
        elif chance[5] < config.title_case:
            pair = replace(pair, source=title_case(pair.source))
        return number_symbols(pair, rng)


def _repeated(vary: Callable[[Pair, Rng], Pair], pair: Pair, rng: Rng) -> Pair:
    """The item once, or up to four times: a network that saw only single ones loses some of several in a sentence."""
    for _ in range(int(rng.choice((1, 1, 1, 2, 2, 3, 4)))):
        pair = vary(pair, rng)
    return pair


def number_symbols(pair: Pair, rng: Rng) -> Pair:
    """The pair with other symbols, drawn at random.

    Those of a class increase from left to right in the source, as the service numbers them. A pair in which a symbol
    occurs twice in the source is unchanged.
    """
    found = _SYMBOL.findall(pair.source)
    if not found or len(set(found)) < len(found):
        return pair
    drawn = _symbols([symbol in NUMBER_SYMBOLS for symbol in found], rng)
    table = str.maketrans(dict(zip(found, drawn, strict=True)))
    return replace(pair, source=pair.source.translate(table), references=(pair.target.translate(table),))


def hide_name(pair: Pair, rng: Rng) -> Pair:
    """The pair with one capitalised word that occurs once on each side replaced by a symbol; unchanged if there is no
    such word, or no symbol left."""
    words, others = Counter(_NAME.findall(pair.source)), Counter(_NAME.findall(pair.target))
    shared = sorted(word for word, count in words.items() if count == others[word] == 1)
    symbol = _unused(pair, NAME_SYMBOLS)
    if not shared or not symbol:
        return pair
    name = re.compile(rf"\b{re.escape(shared[rng.integers(len(shared))])}\b")
    return both(pair, name.sub(symbol, pair.source), name.sub(symbol, pair.target))


def add_placeholder(pair: Pair, rng: Rng) -> Pair:
    """The pair with one more symbol at the same end of both sides, for an emoji, an address or a number."""
    chance = rng.random(2)
    symbol = _unused(pair, NUMBER_SYMBOLS if chance[1] < 0.3 else NAME_SYMBOLS)
    if not symbol:
        return pair
    if chance[0] < 0.3:
        return both(pair, f"{symbol} {pair.source}", f"{symbol} {pair.target}")
    return both(pair, f"{pair.source} {symbol}", f"{pair.target} {symbol}")


def _unused(pair: Pair, symbols: Sequence[str]) -> str:
    """The first symbol that the pair does not have; empty if it has them all."""
    return next((symbol for symbol in symbols if symbol not in pair.source and symbol not in pair.target), "")


def title_case(text: str) -> str:
    """The text as English writes titles: each word capitalised, except for small ones that do not begin it."""

    def capitalised(match: re.Match[str]) -> str:
        word = match[0]
        return word if match.start() and word in _SMALL_WORDS else word[0].upper() + word[1:]

    return _WORD.sub(capitalised, text)


def both(pair: Pair, source: str, target: str) -> Pair:
    """The pair with other texts, unless one side has no words left."""
    return replace(pair, source=source, references=(target,)) if source.strip() and target.strip() else pair

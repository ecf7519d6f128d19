"""VADER (Hutto and Gilbert 2014; MIT licence): words with a mean rating, names of emoji, and a score of any text.

Needs ``vaderSentiment``, which has the lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any


def compound(text: str) -> float:
    """The polarity of a text by its word list, between -1 and 1."""
    return float(_analyzer().polarity_scores(text)["compound"])


def word_ratings() -> Mapping[str, float]:
    """The mean rating of each word and emoticon, between -4 and 4."""
    return dict(_analyzer().lexicon)


def emoji_names() -> Mapping[str, str]:
    """The name of each emoji."""
    return dict(_analyzer().emojis)


@cache
def _analyzer() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()

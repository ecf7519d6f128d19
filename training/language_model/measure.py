"""Figures of a language model on held-out texts, whatever gives the probabilities: a network, a bundle, n-grams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path

from training.language_model.corpora import Split
from training.language_model.minimal_pairs import SETS, Encode, Score, every, judge, read_pairs

ALL = "all"
LAST_LATIN = 0x24F  # the end of Unicode's block Latin Extended-B
MOST_OTHERS = 0.05  # of a text's characters


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFigures:
    """Figures of how likely texts are. A text's end is predicted, too: it counts as a unit, a word and a character."""

    unit_perplexity: float
    word_perplexity: float  # of what stands between white space, however many units spell it
    bits_per_character: float
    num_words: int

    def as_dict(self) -> dict[str, float]:
        return {
            "unit_perplexity": round(self.unit_perplexity, 3),
            "word_perplexity": round(self.word_perplexity, 3),
            "bits_per_character": round(self.bits_per_character, 4),
            "num_words": self.num_words,
        }


def held_out(splits: Mapping[str, Split], split: str, *, max_words: int | None = None) -> dict[str, list[str]]:
    """The dev or test texts by source, those of all together as ``all``; at most so many words of a source. Texts in
    other scripts, such as quotations of interviews in Hindi, are left out: bytes spell them."""
    found = {source: _first(_readable(getattr(part, split)), max_words) for source, part in splits.items()}
    texts = {source: part for source, part in found.items() if part}
    return {ALL: [text for part in texts.values() for text in part], **texts}


def is_latin(text: str) -> bool:
    """Whether hardly a character is a letter of another script."""
    others = sum(ord(character) > LAST_LATIN and character.isalpha() for character in text)
    return others <= MOST_OTHERS * len(text)


def measure_texts(texts: Mapping[str, Sequence[str]], score: Score, encode: Encode) -> dict[str, TextFigures]:
    """By source. Every text is read alone."""
    names = [name for name in texts if name != ALL]
    parts = {name: (list(texts[name]), score([encode(text) for text in texts[name]])) for name in names}
    found = {}
    for name in (ALL, *names):
        chosen = [parts[each] for each in (names if name == ALL else [name])]
        total = -sum(float(value.sum()) for _, values in chosen for value in values)
        num_units = sum(len(value) for _, values in chosen for value in values)
        num_words = sum(len(text.split()) + 1 for part, _ in chosen for text in part)
        num_characters = sum(len(text) + 1 for part, _ in chosen for text in part)
        found[name] = TextFigures(
            unit_perplexity=exp(total / num_units),
            word_perplexity=exp(total / num_words),
            bits_per_character=total / num_characters / log(2),
            num_words=num_words,
        )
    return found


def measure_pairs(score: Score, encode: Encode, data_dir: Path | None, *, step: int = 1) -> dict[str, dict[str, float]]:
    """Accuracy on every ``step``-th minimal pair, by set and group."""
    return {
        name: {
            group: round(accuracy.right, 4)
            for group, accuracy in judge(every(read_pairs(name, data_dir), step), score, encode).items()
        }
        for name in SETS
    }


def _readable(texts: Sequence[str]) -> list[str]:
    """The Latin ones of texts of which most are, else all."""
    latin = [text for text in texts if is_latin(text)]
    return latin if 2 * len(latin) > len(texts) else list(texts)


def _first(texts: Sequence[str], max_words: int | None) -> list[str]:
    """Texts from the beginning, up to so many words."""
    chosen, total = [], 0
    for text in texts:
        if max_words is not None and total >= max_words:
            break
        chosen.append(text)
        total += len(text.split())
    return chosen

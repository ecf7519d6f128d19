"""A data folder with a little of the corpora that translators learn from, each in its own form. All of it invented."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from training.corpora.parallel import MULTI30K_TESTS

LEXICON = {
    "a": "ein",
    "man": "Mann",
    "dog": "Hund",
    "child": "Kind",
    "runs": "rennt",
    "sleeps": "schläft",
    "here": "hier",
    "there": "dort",
    "today": "heute",
}
SENTENCES = [
    f"A {who} {what} {where}."
    for who, what, where in product(("man", "dog", "child"), ("runs", "sleeps"), ("here", "there", "today"))
]
NUMBERED = ["Today 1234 sleeps.", "The dog of 98765 runs here.", "See www.example.com today."]
SPLITS = {"train": [*SENTENCES, *NUMBERED] * 2, "dev": SENTENCES[:4], "test": [*SENTENCES[4:10], NUMBERED[0]]}
MULTI30K = {"train": "train", "val": "dev", **dict.fromkeys(MULTI30K_TESTS, "test")}


def german(sentence: str) -> str:
    """Word by word."""
    words = sentence.rstrip(".").split()
    found = " ".join(LEXICON.get(word.lower(), word) for word in words)
    return f"{found[0].upper()}{found[1:]}."


def write_pairs(folder: Path) -> None:
    """As ``training.corpora.sources.locate`` finds them in a ``--data-dir``: en-de of Tatoeba and of Multi30k."""
    for split, sentences in SPLITS.items():
        lines = [f"{each}\t{german(each)}" + ("\tEtwas anderes." if split != "train" else "") for each in sentences]
        _write(folder / "tatoeba" / "en-de" / f"{split}.tsv", lines)
    for part, split in MULTI30K.items():
        _write(folder / "multi30k" / f"{part}.en", SPLITS[split])
        _write(folder / "multi30k" / f"{part}.de", list(map(german, SPLITS[split])))


def _write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

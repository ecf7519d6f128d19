"""A data folder with a little of every corpus of running text, each in its own form. All of it invented."""

from __future__ import annotations

from pathlib import Path

PARAGRAPHS = tuple(
    f"The {animal} {verb} {place}, and number {number} is its own." if number % 3 else f"The {animal} {verb} {place}."
    for number, (animal, verb, place) in enumerate(
        (animal, verb, place)
        for animal in ("cat", "dog", "horse", "mouse", "bird")
        for verb in ("sleeps", "runs", "waits", "eats", "sings", "hides", "plays", "drinks", "stands", "dreams")
        for place in ("in the house", "under a tree", "by the old river")
    )
)
PAIRS = {
    "blimp": "plural\tagreement\tThe cat sleeps.\tThe cat sleep.\nplural\tagreement\tA dog runs.\tA dog run.\n",
    "lm-syneval": "simple/plural\tthe cat sleeps\tthe cat sleep\tthe cat sleeping\n",
    "linzen-natural": "attractors=0\tthe cat that did n't eat ,\tsleeps\tsleep\n",
    "gulordava-nonce": "L__NOUN\tThe horse\tplays\tplay\n",
}
BOOK = "\n".join(f"{number}. A line of the book, and another one." for number in range(200))


def write_running_text(folder: Path) -> None:
    """Lay the corpora into a data folder."""
    _write(folder, "lm-english/help.txt", "\n".join(PARAGRAPHS * 30))
    _write(folder, "tatoeba/en-es/train.tsv", "Hello.\tHola.\nHello.\tBuenas.\nThe cat sleeps.\tEl gato duerme.\n")
    dialogue = "# Hotels_1\nUSER\tA room, please.\tHotels_1:Find\nSYSTEM\tFor how many nights?\tHotels_1:Find\n"
    _write(folder, "dialogue-sgd/train.tsv", f"{dialogue}\n{dialogue}")
    for part, words in (("train", "no it was n't"), ("valid", "it was <unk>"), ("test", "it was N <unk>")):
        _write(folder, f"ptb/{part}.txt", f" {words} \n {words} \n" * 30)
    _write(folder, "shakespeare/input.txt", BOOK)
    for name, rows in PAIRS.items():
        _write(folder, f"lm-minimal-pairs/{name}.tsv", rows)


def _write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

"""Convert the public GMB entity extract (``ner_dataset.csv``) into our train, dev and test.

    python -m training.corpora.gmb ner_dataset.csv

The CSV (Kaggle, "entity-annotated-corpus") has no split. Ours was drawn at random by sentence; ``gmb_split`` lists the
sentences of dev and test, in their order, by the first 8 hex digits of the SHA-256 of a sentence's rows. Tags are part
of the hash because a few sentences occur twice, tagged differently. Sentences in neither list are train.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.corpora.sources import CorpusError, cache_dir, write_atomically

SPLIT_FOLDER = Path(__file__).with_name("gmb_split")
PARTS = ("dev", "test")


def read_kaggle_csv(path: Path) -> Iterator[str]:
    """Sentences of the public CSV, each as its lines ``word TAB pos TAB tag``."""
    number = ""
    lines: list[str] = []
    for row in csv.DictReader(io.StringIO(_decode(path.read_bytes()), newline="")):
        # Some copies number every row, others only the first of a sentence.
        if lines and row["Sentence #"] not in ("", number):
            yield "\n".join(lines)
            lines = []
        number = row["Sentence #"] or number
        lines.append("\t".join((row["Word"].strip(), row["POS"].strip(), row["Tag"].strip())))
    if lines:
        yield "\n".join(lines)


def _decode(content: bytes) -> str:
    """The text of the file. The publisher wrote Windows-1252; some copies were converted to UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def sentence_key(sentence: str) -> str:
    """The key by which the lists of the split name a sentence."""
    return hashlib.sha256(sentence.encode("utf-8")).hexdigest()[:8]


def read_split(folder: Path = SPLIT_FOLDER) -> dict[str, list[str]]:
    """The keys of dev and test, in the order of their files."""
    return {part: (folder / f"{part}.txt").read_text(encoding="ascii").split() for part in PARTS}


def split(sentences: Iterable[str], keys: dict[str, list[str]]) -> dict[str, list[str]]:
    """The sentences by part: dev and test in listed order, one sentence a listing, and all others in train.

    Raises CorpusError if a listed sentence is missing: the file then differs from the one that was split.
    """
    owing = Counter(key for listed in keys.values() for key in listed)
    taken: defaultdict[str, list[str]] = defaultdict(list)
    train = []
    for sentence in sentences:
        key = sentence_key(sentence)
        if owing[key]:
            owing[key] -= 1
            taken[key].append(sentence)
        else:
            train.append(sentence)
    if missing := owing.total():
        raise CorpusError(f"{missing} of {sum(map(len, keys.values()))} listed sentences are not there")
    return {"train": train} | {part: [taken[key].pop() for key in keys[part]] for part in keys}


def write_split(parts: dict[str, list[str]], folder: Path) -> None:
    """Write one columns file a part, in the form that ``read_columns`` reads."""
    for part, sentences in parts.items():
        write_atomically(folder / f"{part}.conll", ("\n\n".join(sentences) + "\n").encode("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Split the public GMB extract into our train, dev and test.")
    parser.add_argument("csv", type=Path, help="ner_dataset.csv")
    parser.add_argument("--folder", type=Path, default=None, help="where to write (default: the cache)")
    options = parser.parse_args()
    folder = options.folder or cache_dir() / "gmb"
    parts = split(read_kaggle_csv(options.csv), read_split())
    write_split(parts, folder)
    print(folder, {part: len(sentences) for part, sentences in parts.items()})


if __name__ == "__main__":
    main()

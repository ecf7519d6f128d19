"""The Large Movie Review Dataset (Maas et al. 2011): 50,000 reviews with a rating, and 50,000 without.

    python -m training.corpora.imdb aclImdb_v1.tar.gz

turns the public archive into the three files that are read here: ``train.tsv`` and ``test.tsv``, a review a
line as ``label TAB rating TAB text``, and ``unsup.txt``, a review a line.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import tarfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from training.corpora.columns import open_text
from training.corpora.labelled import LabelledText
from training.corpora.sources import cache_dir, locate, write_atomically

LABELS = ("neg", "pos")
DEV_SHARE = 10  # one in so many

_LINE_BREAK = re.compile(r"[ \t]*<br ?/?>[ \t]*", re.IGNORECASE)
# Some reviews are Windows-1252 that was read as Latin-1: an ellipsis became a control character.
_MISREAD = {code: bytes([code]).decode("cp1252", errors="ignore") for code in range(0x80, 0xA0)}
_SPACES = re.compile(r"[ \t\r\n]+")
_MEMBER = re.compile(r"aclImdb/(train|test)/(neg|pos|unsup)/(\d+)_(\d+)\.txt")


def read_reviews(split: str, data_dir: Path | None) -> list[LabelledText]:
    """``train`` or ``test``, negative (0) and positive (1), in the order of the file. Markup of lines is lines."""
    with open_text(locate(f"imdb/{split}", data_dir=data_dir)) as lines:
        rows = [line.rstrip("\n").split("\t", 2) for line in lines]
    return [LabelledText(text=clean(text), label=LABELS.index(label)) for label, _, text in rows]


def read_unlabelled(data_dir: Path | None) -> list[str]:
    """The reviews that nobody rated."""
    with open_text(locate("imdb/unsup", data_dir=data_dir)) as lines:
        return [clean(line) for line in lines]


def split_dev(reviews: Sequence[LabelledText]) -> tuple[list[LabelledText], list[LabelledText]]:
    """The reviews to learn from and a tenth to choose by, both in their order: the corpus has no dev set.

    Which ones is a matter of their text alone (its SHA-256), so doubles of one review fall on one side.
    """
    ranked = sorted(range(len(reviews)), key=lambda i: _rank(reviews[i]), reverse=True)
    dev = set(ranked[: len(reviews) // DEV_SHARE])
    return (
        [review for i, review in enumerate(reviews) if i not in dev],
        [review for i, review in enumerate(reviews) if i in dev],
    )


def clean(review: str) -> str:
    """A review without markup of lines and without characters that were misread."""
    return _LINE_BREAK.sub("\n", review).translate(_MISREAD).strip()


def read_archive(path: Path) -> dict[str, list[str]]:
    """The lines of ``train.tsv``, ``test.tsv`` and ``unsup.txt`` from the public archive.

    Negative reviews come before positive ones, each kind by number. Raises tarfile.TarError and OSError.
    """
    found: defaultdict[str, list[tuple[str, int, str]]] = defaultdict(list)
    with tarfile.open(path) as archive:
        for member in archive:
            named = _MEMBER.fullmatch(member.name)
            file = named and archive.extractfile(member)
            if named and file:
                split, label, number, rating = named.groups()
                text = _SPACES.sub(" ", file.read().decode("utf-8"))
                is_rated = label in LABELS
                line = f"{label}\t{rating}\t{text}" if is_rated else text
                found[f"{split}.tsv" if is_rated else "unsup.txt"].append((label, int(number), line))
    return {name: [line for *_, line in sorted(rows)] for name, rows in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Turn the public archive of reviews into the files read here.")
    parser.add_argument("archive", type=Path, help="aclImdb_v1.tar.gz")
    parser.add_argument("--folder", type=Path, default=None, help="where to write (default: the cache)")
    options = parser.parse_args()
    folder = options.folder or cache_dir() / "imdb"
    files = read_archive(options.archive)
    for name, lines in files.items():
        write_atomically(folder / name, "".join(f"{line}\n" for line in lines).encode("utf-8"))
    print(folder, {name: len(lines) for name, lines in files.items()})


def _rank(review: LabelledText) -> str:
    return hashlib.sha256(review.text.encode("utf-8")).hexdigest()


if __name__ == "__main__":
    main()

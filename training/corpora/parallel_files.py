"""Dev sets of parallel text by domain, from a data folder.

Each pair of languages and source has one file: ``<data-dir>/parallel/eval/en-es/NAME.tsv.xz``, xz-compressed UTF-8
without a header, columns English, other language, document.
"""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterator
from pathlib import Path

from training.corpora.parallel import Pair, PairSet
from training.corpora.sources import CorpusUnavailableError

ENGLISH = "en"
FLORES, NEWSTEST = "flores-dev", "newstest2013"
# Slices whose terms forbid commercial use; their sources are not among the training corpora of a model that ships.
NON_COMMERCIAL = frozenset({"openstax-es", "wmt-chat"})
ADVICE = "the dev sets have no single public address: name a folder that holds parallel/eval (--data-dir, CORPORA_DIR)"


def read_evaluation(direction: str, data_dir: Path | None) -> list[PairSet]:
    """Every dev set of a direction, by name; ``es-en`` reads the files of ``en-es`` with their sides exchanged.

    A set is named after its file and the direction: ``flores-dev en-es``. ``data_dir`` defaults to the folder that
    the environment variable CORPORA_DIR names. Raises CorpusUnavailableError if there are no files of the direction,
    ValueError on a line that has not three columns.
    """
    return [
        PairSet(name=f"{name_of(path)} {direction}", pairs=tuple(read_aligned(path, direction)))
        for path in _files(direction, data_dir)
    ]


def read_aligned(path: Path, direction: str) -> Iterator[Pair]:
    """Yield the pairs of one file in the order of its lines, with English as the source or the target side."""
    source_language, _, target_language = direction.partition("-")
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            columns = line.rstrip("\n").split("\t")
            if len(columns) != 3:
                raise ValueError(f"{path}: line {number} has {len(columns)} columns, not 3")
            english, other, _document = columns
            source, target = (english, other) if source_language == ENGLISH else (other, english)
            yield Pair(source=source, references=(target,), target_language=target_language)


def domain_of(pair_set: PairSet) -> str:
    """Return the name of a set without its direction: ``flores-dev`` for ``flores-dev en-es``."""
    return pair_set.name.rpartition(" ")[0]


def is_business_slice(name: str) -> bool:
    """Tell whether a set counts among the business slices: a held-out part of a training source with open or
    share-alike terms."""
    return name not in {FLORES, NEWSTEST, *NON_COMMERCIAL}


def name_of(path: Path) -> str:
    """Return ``flores-dev`` for ``.../flores-dev.tsv.xz``."""
    return path.name.removesuffix(".tsv.xz")


def _files(direction: str, data_dir: Path | None) -> list[Path]:
    folder = data_dir or Path(os.environ.get("CORPORA_DIR", "."))
    sides = direction.split("-")
    languages = direction if sides[0] == ENGLISH else "-".join(reversed(sides))
    files = sorted((folder / "parallel" / "eval" / languages).glob("*.tsv.xz"))
    if not files:
        raise CorpusUnavailableError(f"no dev sets of {direction} in {folder}: {ADVICE}")
    return files

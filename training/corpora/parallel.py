"""Sentences and their translations.

Tatoeba: ``source TAB reference [TAB reference ...]`` a line. Multi30k (Elliott et al. 2016, 2017): one file a
language, line by line in parallel. Headwords: everyday words from dictionaries. Written: sentences of business,
products, everyday life and news in four languages, ``English TAB Spanish TAB German TAB French``, which a language
model (Claude) wrote for this project, CC0; for training alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from training.corpora.columns import open_text
from training.corpora.sources import locate

ENGLISH = "en"
HEADWORDS, WRITTEN = "headwords", "written"
WRITTEN_FOLDER = Path(__file__).parent / "written" / "parallel"
WRITTEN_LANGUAGES = (ENGLISH, "es", "de", "fr")  # in the order of a line's columns
MULTI30K_LANGUAGES = ("cs", "de", "en", "fr")
MULTI30K_TESTS = ("test_2016_flickr", "test_2017_flickr", "test_2017_mscoco")
_MULTI30K_FILES = {"train": "train", "dev": "val"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A sentence and its reference translations, the first one the main one."""

    source: str
    references: tuple[str, ...]
    target_language: str

    @property
    def target(self) -> str:
        return self.references[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSet:
    """A dev or test set of one pair of languages."""

    name: str  # "tatoeba en-es", "multi30k en-de test_2016"
    pairs: tuple[Pair, ...]

    @property
    def direction(self) -> str:
        """The languages, ``en-es``: the second word of the name."""
        return self.name.split()[1]


def read_tatoeba(direction: str, split: str, data_dir: Path | None) -> list[Pair]:
    """The pairs of ``direction`` (``en-es``) in ``split`` (train, dev or test), with every reference of a line in its
    order. ``es-en`` has the sides exchanged: all references are sources in train, the first ones in dev and test.

    Raises ValueError on a line without a translation.
    """
    source_language, _, target_language = direction.partition("-")
    if target_language == ENGLISH:
        pairs = read_tatoeba(f"{ENGLISH}-{source_language}", split, data_dir)
        firsts = [replace(pair, references=pair.references[:1]) for pair in pairs]
        return exchanged(pairs if split == "train" else firsts)
    with open_text(locate(f"tatoeba/{direction}/{split}", data_dir=data_dir)) as lines:
        return [_tatoeba_pair(line, number, target_language) for number, line in enumerate(lines, 1)]


def exchanged(pairs: Iterable[Pair], language: str = ENGLISH) -> list[Pair]:
    """The pairs with their sides exchanged, one for each reference; ``language`` is that of what were sources."""
    return [
        Pair(source=reference, references=(pair.source,), target_language=language)
        for pair in pairs
        for reference in pair.references
    ]


def read_multi30k(direction: str, split: str, data_dir: Path | None) -> list[Pair]:
    """The pairs of ``split``: train, dev or one of MULTI30K_TESTS. Raises ValueError if the sides differ in length."""
    source_language, _, target_language = direction.partition("-")
    sides = [_multi30k_lines(language, split, data_dir) for language in (source_language, target_language)]
    return [
        Pair(source=source, references=(target,), target_language=target_language)
        for source, target in zip(*sides, strict=True)
    ]


def read_written(
    direction: str, split: str = "train", data_dir: Path | None = None, folder: Path = WRITTEN_FOLDER
) -> list[Pair]:
    """The pairs of the files in ``folder``, from or into English; all are for training. Raises ValueError on
    a line without four columns."""
    source_language, _, target_language = direction.partition("-")
    places = [WRITTEN_LANGUAGES.index(language) for language in (source_language, target_language)]
    pairs = []
    for path in sorted(folder.glob("*.tsv")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            cells = line.split("\t")
            if len(cells) != len(WRITTEN_LANGUAGES):
                raise ValueError(f"{path.name}:{number}: not {len(WRITTEN_LANGUAGES)} columns")
            source, target = (cells[place] for place in places)
            pairs.append(Pair(source=source, references=(target,), target_language=target_language))
    return pairs


READERS = {
    "tatoeba": read_tatoeba,
    "multi30k": read_multi30k,
    WRITTEN: read_written,
}


def has_direction(corpus: str, direction: str) -> bool:
    """Tell whether a corpus has this pair of languages."""
    source, _, target = direction.partition("-")
    if corpus == HEADWORDS:  # it has words, which training/translator/lexicon.py reads
        return False
    if corpus == "multi30k":
        return {source, target} <= set(MULTI30K_LANGUAGES)
    others = {"de", "es", "fr"}
    return (source == ENGLISH and target in others) or (source in others and target == ENGLISH)


def read_sets(
    corpora: tuple[str, ...], directions: tuple[str, ...], split: str, data_dir: Path | None
) -> list[PairSet]:
    """A set for each corpus and each direction that it has, and for each of the test sets of Multi30k."""
    return [
        PairSet(name=name, pairs=tuple(READERS[corpus](direction, part, data_dir)))
        for corpus in corpora
        for direction in directions
        if has_direction(corpus, direction)
        for name, part in _parts(corpus, direction, split)
    ]


def write_pairs(file: TextIO, pairs: Iterable[Pair]) -> None:
    """Write a line for each pair: ``language TAB source TAB target``."""
    file.writelines("\t".join((pair.target_language, pair.source, pair.target)) + "\n" for pair in pairs)


def read_pairs(path: Path) -> list[Pair]:
    """Read the file of :func:`write_pairs`. Raises ValueError on a line of another form."""
    with open_text(path) as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    return [Pair(source=source, references=(target,), target_language=language) for language, source, target in rows]


def _parts(corpus: str, direction: str, split: str) -> Iterator[tuple[str, str]]:
    if corpus == "multi30k" and split == "test":
        for part in MULTI30K_TESTS:
            yield f"{corpus} {direction} {part}", part
    elif corpus != WRITTEN or split == "train":
        yield f"{corpus} {direction}", split


def _tatoeba_pair(line: str, number: int, target_language: str) -> Pair:
    source, *references = line.rstrip("\n").split("\t")
    if not references:
        raise ValueError(f"line {number}: a sentence without a translation")
    return Pair(source=source, references=tuple(references), target_language=target_language)


def _multi30k_lines(language: str, split: str, data_dir: Path | None) -> list[str]:
    name = f"multi30k/{_MULTI30K_FILES.get(split, split)}.{language}"
    with open_text(locate(name, data_dir=data_dir)) as lines:
        return [line.strip() for line in lines]

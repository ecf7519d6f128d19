"""Broad-domain sentence pairs, one file a source and language, each source with its licence tier.

``parallel_sources.toml`` lists the sources: domain, tier, licence, origin and checksums.
"""

from __future__ import annotations

import lzma
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from training.corpora.parallel import ENGLISH, Pair, exchanged
from training.corpora.sources import CorpusUnavailableError, folder_of_corpora
from training.corpora.text_key import key_of

Tier = Literal["open", "copyleft", "restricted"]
LANGUAGES = ("es", "de", "fr")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelSource:
    """One publisher's pairs and their terms."""

    name: str
    domain: str
    tier: Tier
    licence: str
    origin: str
    sha256: Mapping[str, str]  # of the decompressed file, by target language; a language it lacks is not there


@cache
def parallel_sources() -> dict[str, ParallelSource]:
    """Every source of ``parallel_sources.toml`` by name."""
    listing = tomllib.loads(Path(__file__).with_name("parallel_sources.toml").read_text(encoding="utf-8"))
    return {name: ParallelSource(name=name, **table) for name, table in listing.items()}


def sources_of(tiers: Collection[Tier]) -> list[ParallelSource]:
    """The sources of these licence tiers, in the listing's order."""
    return [source for source in parallel_sources().values() if source.tier in tiers]


def read_source(source: ParallelSource, direction: str, data_dir: Path | None) -> list[Pair]:
    """The pairs of a source in one direction, in the file's order, from or into English; none if the source lacks the
    other language.

    Raises CorpusUnavailableError if the file is in no data folder, and ValueError on a line without three columns.
    """
    if direction.endswith(f"-{ENGLISH}"):
        return exchanged(read_source(source, "-".join(reversed(direction.split("-"))), data_dir))
    language = direction.removeprefix(f"{ENGLISH}-")
    if language not in source.sha256:
        return []
    path = folder_of_corpora(data_dir) / "parallel" / f"en-{language}" / f"{source.name}.tsv.xz"
    if not path.is_file():
        raise CorpusUnavailableError(
            f"{path} is not there, and it has no public download: gather it from {source.origin}"
        )
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [_pair(line, number, path, language) for number, line in enumerate(lines, 1)]


def without(pairs: Sequence[Pair], held_out: Collection[str]) -> list[Pair]:
    """Pairs neither side of which is one of these held-out sentences, given as :func:`key_of` makes them."""
    return [pair for pair in pairs if key_of(pair.source) not in held_out and key_of(pair.target) not in held_out]


def _pair(line: str, number: int, path: Path, language: str) -> Pair:
    try:
        source, target, _document = line.rstrip("\n").split("\t")
    except ValueError as error:
        raise ValueError(f"{path}:{number}: not three columns") from error
    return Pair(source=source, references=(target,), target_language=language)

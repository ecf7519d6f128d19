"""A translator's bundle with no service around it: sentences to searches, and what the engine made of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.latency import percentile
from bench.ways import ALONE, Ids, Way
from bench.workload import SENTENCES
from service.bundle import Bundle
from service.decoding.beam_search import search_all
from service.decoding.search import Hypotheses, Search
from service.errors import BundleError
from service.models.loading import OpenSession, find_versions, highest_of, precision_of
from service.predictors.translation import LanguagePair, TranslateOptions
from service.predictors.translator import Translator
from service.runtime.session import open_session
from service.settings import Settings

ENGINE = "engine"  # a system, and a precision or a bundle behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """The lengths of sources in subwords, tag and end counted."""

    count: int
    shortest: int
    median: float
    p95: float
    longest: int

    @classmethod
    def of(cls, searches: Sequence[Search]) -> Lengths:
        lengths = [len(search.ids) for search in searches]
        return cls(
            count=len(lengths),
            shortest=min(lengths),
            median=statistics.median(lengths),
            p95=percentile(lengths, 95),
            longest=max(lengths),
        )

    def __str__(self) -> str:
        return (
            f"{self.count} sentences of {self.shortest} to {self.longest} subwords "
            f"(median {self.median:.0f}, 95 % up to {self.p95:.0f})"
        )


def find_translator(models_dir: Path, name: str) -> Bundle:
    """Raises BundleError."""
    bundles = highest_of(find_versions(models_dir))
    if name not in bundles or bundles[name].manifest.task != "translate":
        known = [each for each, bundle in bundles.items() if bundle.manifest.task == "translate"]
        raise BundleError(f"{models_dir}: no translator {name!r}; known: {', '.join(known) or 'none'}")
    return bundles[name]


def open_bare(bundle: Bundle, *, precision: str | None = None, open_session: OpenSession = open_session) -> Translator:
    """Open a translator as it is served, on the processor; in this precision if the bundle has it, else in its default
    one."""
    chosen = precision_of(bundle, Settings(precision=precision))
    encoder, step = (open_session(path, device="cpu") for path in (bundle.encoder(chosen), bundle.graph(chosen)))
    return Translator(bundle, encoder=encoder, step=step)


def read_sentences(path: Path = SENTENCES) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if line.strip()]


def searches_of(
    translator: Translator, sentences: Iterable[str], *, beam_size: int, pair: LanguagePair | None = None
) -> list[Search]:
    """The searches of one sentence a request, into the first language unless a pair is named; without sentences that
    need no search. The sources are the same for every beam."""
    options = TranslateOptions(pair=pair or translator.pairs[0], beam_size=beam_size, truncate=True)
    return [search for sentence in sentences for search in translator.encode(sentence, options).searches]


def num_target_tokens(answers: Iterable[Hypotheses]) -> int:
    """The number of tokens of each sentence's best hypothesis, its end not counted."""
    return sum(len(hypotheses[0].ids) for hypotheses in answers)


def engine_ways(
    translator: Translator, system: str, *, beam_size: int, num_together: Iterable[int], times: int
) -> Iterator[Way]:
    """The service's engine over a bundle's graphs, on this thread alone, with so many sentences at once."""
    for places in num_together:

        def decode(searches: Sequence[Search], places: int = places) -> list[Ids]:
            found = search_all(translator.graphs, searches, max_rows=places * beam_size)
            return [hypotheses[0].ids for hypotheses in found]

        yield Way(system=system, num_together=places, decode=decode, times=1 if places == ALONE else times)

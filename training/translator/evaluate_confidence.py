"""Features and chrF of translated dev sentences: the rows that :mod:`training.translator.calibrate` fits.

Texts of several sentences and texts without a word are left out. One row in nine is a reference, a text that is not in
the source language, whose translation counts as bad.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from service.predictors.translation import LanguagePair, TranslateOptions
from service.predictors.translator import Translator
from service.text.paragraphs import cut
from training.corpora.parallel import Pair, PairSet
from training.corpora.parallel_files import domain_of
from training.translator.calibrate import Reliability, calibrate, rows_of
from training.translator.scores import sentence_chrf

SENTENCES_AT_ONCE = 512
FOREIGN_EVERY = 8


def with_foreign(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs, and after every eighth its target as a source that has no translation."""
    foreign = [replace(pair, source=pair.target, references=("",)) for pair in pairs[::FOREIGN_EVERY]]
    return [*pairs, *foreign]


def confidence_rows(translator: Translator, pair_set: PairSet, direction: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each single sentence of a set."""
    source_language, _, target_language = direction.partition("-")
    options = TranslateOptions(pair=LanguagePair(source_language, target_language))
    pairs = [pair for pair in with_foreign(pair_set.pairs) if len(cut(pair.source).spans) == 1]
    for start in range(0, len(pairs), SENTENCES_AT_ONCE):
        block = pairs[start : start + SENTENCES_AT_ONCE]
        sources = [translator.encode(sentence, options) for pair in block for sentence in cut(pair.source).sentences]
        for pair, source in zip(block, translator.answer_all(sources), strict=True):
            features = translator.sentence_decoder.features(source)
            if features is not None:
                yield {
                    "target": target_language,
                    "domain": domain_of(pair_set),
                    "chrf": sentence_chrf(translator.decode(source)[0].text, pair.target) if pair.target else 0.0,
                    "features": asdict(features),
                }


def calibrate_on(
    translator: Translator, sets: Mapping[str, Sequence[PairSet]], *, precision: float
) -> tuple[dict[str, Any], Mapping[str, Reliability]]:
    """The ``confidence`` of a manifest and its reliability, from dev sets by direction.

    It is fitted on every other row and measured on the rest. Raises ValueError without rows, or if all are of one kind.
    """
    rows = [
        row
        for direction, parts in sets.items()
        for part in parts
        for row in confidence_rows(translator, part, direction)
    ]
    domains = list(dict.fromkeys(row["domain"] for row in rows))
    return calibrate(rows_of(rows[::2]), rows_of(rows[1::2]), precision=precision, measured_on=domains)


def limited(sets: Sequence[PairSet], limit: int | None) -> list[PairSet]:
    """The sets with at most so many pairs each, evenly spread; all pairs without a limit."""
    return [
        PairSet(name=each.name, pairs=each.pairs[:: max(1, len(each.pairs) // limit)][:limit] if limit else each.pairs)
        for each in sets
    ]

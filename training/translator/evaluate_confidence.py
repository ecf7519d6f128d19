"""Write what a translator's confidence is fitted on: features of its translations of dev sentences, and their chrF.

    python -m training.translator.evaluate_confidence models/en-xx --data-dir data --output rows.jsonl

``training/translator/calibrate.py`` reads the rows. Texts of several sentences and those without a word are left out.
One row in nine is a text that is not in the source language, a reference, whose translation counts as bad.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from service.bundle import load_bundle
from service.predictors.translation import LanguagePair as Direction
from service.predictors.translation import TranslateOptions as Wish
from service.predictors.translator import Translator
from service.text.paragraphs import cut
from training.command_line import CORPORA
from training.corpora.parallel import Pair, PairSet
from training.corpora.parallel_files import domain_of
from training.translator.evaluate import open_translator
from training.translator.prepare import domain_sets
from training.translator.scores import sentence_chrf

SENTENCES_AT_ONCE = 512
FOREIGN_EVERY = 8


def with_foreign(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs and, behind every eighth, its target as a source that has no translation."""
    foreign = [replace(pair, source=pair.target, references=("",)) for pair in pairs[::FOREIGN_EVERY]]
    return [*pairs, *foreign]


def rows_of(translator: Translator, pair_set: PairSet, direction: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each single sentence of a set."""
    source_language, _, target_language = direction.partition("-")
    wish = Wish(pair=Direction(source_language, target_language))
    pairs = [pair for pair in with_foreign(pair_set.pairs) if len(cut(pair.source).spans) == 1]
    for start in range(0, len(pairs), SENTENCES_AT_ONCE):
        block = pairs[start : start + SENTENCES_AT_ONCE]
        sources = [translator.encode(sentence, wish) for pair in block for sentence in cut(pair.source).sentences]
        for pair, source in zip(block, translator.answer_all(sources), strict=True):
            features = translator.features(source)
            if features is not None:
                yield {
                    "target": target_language,
                    "domain": domain_of(pair_set),
                    "chrf": sentence_chrf(translator.decode(source)[0].text, pair.target) if pair.target else 0.0,
                    "features": asdict(features),
                }


def write_rows(translator: Translator, path: Path, *, data_dir: Path | None, limit: int | None) -> int:
    """Write the rows of every dev set in every pair of a translator; returns how many they are."""
    num_rows = 0
    with path.open("w", encoding="utf-8") as file:
        for pair in translator.pairs:
            for pair_set in limited(domain_sets(str(pair), split="dev", data_dir=data_dir), limit):
                for row in rows_of(translator, pair_set, str(pair)):
                    file.write(json.dumps(row) + "\n")
                    num_rows += 1
    return num_rows


def limited(sets: Sequence[PairSet], limit: int | None) -> list[PairSet]:
    """The sets with at most so many pairs each, evenly spread; all without a limit."""
    return [
        PairSet(name=each.name, pairs=each.pairs[:: max(1, len(each.pairs) // limit)][:limit] if limit else each.pairs)
        for each in sets
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--precision", help="a precision of the bundle; default its default")
    parser.add_argument("--data-dir", type=Path, help=CORPORA)
    parser.add_argument("--limit", type=int, help="at most this many sentences of each set")
    parser.add_argument("--output", type=Path, required=True, help="the file to write, a JSON object a line")
    arguments = parser.parse_args()
    translator = open_translator(load_bundle(arguments.bundle), arguments.precision)
    num_rows = write_rows(translator, arguments.output, data_dir=arguments.data_dir, limit=arguments.limit)
    print(f"{num_rows} rows written: {arguments.output}")


if __name__ == "__main__":
    main()

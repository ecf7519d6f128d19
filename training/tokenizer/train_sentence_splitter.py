"""Train the sentence boundary model of ``service/text/boundaries.py`` on UD English EWT.

    python -m training.tokenizer.train_sentence_splitter --data-dir DIR

Only the training section is used. The weights are written next to the code, rounded, without the small ones.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from service.text.boundaries import KINDS, BoundaryModel, keys_at
from service.text.tokenizer import scan_words
from training.corpora.tagging import read_ewt_lines
from training.tokenizer.conll18 import raw_text, read_gold

TARGET = Path("service/text/boundaries.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    features: list[dict[str, str]]
    labels: list[bool]


def read_examples(lines: list[str]) -> Examples:
    """Every place where a sentence could end, with the sentence before it as the treebank has it."""
    found = scan_words(raw_text(lines))
    gold_starts = {sentence.start for sentence in read_gold(lines).sentences}
    position = np.concatenate([[0], np.cumsum([len(word) for word in found.words])])
    examples = Examples(features=[], labels=[])
    candidates = set(found.candidates) - found.breaks
    start = 0
    for place in range(1, len(found.words)):
        is_start = int(position[place]) in gold_starts
        if place in candidates:
            spaced = found.starts[place] > found.ends[place - 1]
            keys = keys_at(found.words, place, start, spaced)
            examples.features.append(dict(zip(KINDS, keys, strict=True)))
            examples.labels.append(is_start)
        if is_start:
            start = place
    return examples


def fit(examples: Examples, *, regularisation: float, smallest: float, rarest: int) -> BoundaryModel:
    counts: dict[tuple[str, str], int] = {}
    for row in examples.features:
        for item in row.items():
            counts[item] = counts.get(item, 0) + 1
    rows = [{f"{k}={v}": 1.0 for k, v in row.items() if counts[k, v] >= rarest} for row in examples.features]
    vectorizer = DictVectorizer()
    matrix = vectorizer.fit_transform(rows)
    regression = LogisticRegression(C=regularisation, max_iter=300)
    regression.fit(matrix, examples.labels)
    tables: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    for name, weight in zip(vectorizer.feature_names_, regression.coef_[0], strict=True):
        kind, _, key = name.partition("=")
        if abs(weight) >= smallest:
            tables[kind][key] = round(float(weight), 2)
    return BoundaryModel(tables=tuple(tables[kind] for kind in KINDS), bias=round(float(regression.intercept_[0]), 3))


def write_model(model: BoundaryModel, path: Path) -> None:
    content = {"bias": model.bias, "weights": dict(zip(KINDS, model.tables, strict=True))}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=0, sort_keys=True) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="folder with the corpora; else they are downloaded")
    parser.add_argument("--regularisation", type=float, default=2.0)
    arguments = parser.parse_args()
    examples = read_examples(read_ewt_lines("train", arguments.data_dir))
    print(f"{len(examples.labels)} places, {sum(examples.labels)} of them sentence ends")
    model = fit(examples, regularisation=arguments.regularisation, smallest=0.1, rarest=2)
    write_model(model, TARGET)
    print(f"{TARGET}: {TARGET.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()

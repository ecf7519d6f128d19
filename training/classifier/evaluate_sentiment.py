"""Measure a sentiment classifier where it was not trained: sources left out, film reviews, minimal pairs.

    python -m training.classifier.evaluate_sentiment BUNDLE [--left-out SOURCE=BUNDLE ...]

Without ``--left-out`` only films and minimal pairs are measured. ``training.classifier.train --leave-out SOURCE``
leaves a source out. Its macro F1 is taken over all of its texts in training and dev files, beside VADER's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.predictors.classifier import Classifier
from training.classifier.baselines import vader_scores
from training.classifier.classification import evaluate_classes
from training.classifier.corpora import POLARITY, SENTIMENT
from training.classifier.evaluate import classify_texts, open_classifier
from training.classifier.figures import Scores, f1_of_present
from training.classifier.minimal_pairs import read_pairs, score_pairs
from training.command_line import evaluation_parser
from training.corpora import sst
from training.corpora.labelled_text import LabelledText, read_texts


def sides(scores: Scores) -> npt.NDArray[np.int64]:
    """The likelier of negative (0) and positive (1), as if neutral's probability were shared out equally."""
    return (scores[:, 2] > scores[:, 0]).astype(np.int64)


def film_accuracy(classifier: Classifier, split: str, data_dir: Path | None) -> float:
    """The accuracy on SST-2: sentences of film reviews that are negative or positive."""
    sentences = [phrase for phrase in sst.read_sentences(split, data_dir) if phrase.grade != sst.NEUTRAL]
    gold = np.array([phrase.grade > sst.NEUTRAL for phrase in sentences])
    return float((sides(classify_texts(classifier, [phrase.text for phrase in sentences])) == gold).mean())


def texts_of_source(source: str, data_dir: Path | None) -> list[LabelledText]:
    """All labelled texts of a source, in the training and the dev file."""
    texts = [text for part in ("train", "dev") for text in read_texts(SENTIMENT, part, POLARITY, data_dir=data_dir)]
    return [text for text in texts if text.source == source]


def macro_f1(texts: Sequence[LabelledText], scores: Scores) -> float:
    """The mean F1 of the labels that occur in the texts. If none is neutral, the likelier of negative and positive
    counts."""
    gold = np.array([text.label for text in texts])
    predicted = scores.argmax(1) if 1 in gold else 2 * sides(scores)
    return f1_of_present(evaluate_classes(gold=gold, predicted=predicted, labels=POLARITY))


def main() -> None:
    parser = evaluation_parser(__doc__)
    parser.add_argument("--left-out", nargs="*", default=(), metavar="SOURCE=BUNDLE")
    arguments = parser.parse_args()
    classifier = open_classifier(arguments.bundle, arguments.precision).classifier
    print(f"SST-2 {arguments.split}: {100 * film_accuracy(classifier, arguments.split, arguments.data_dir):.2f}")
    pairs = score_pairs(lambda texts: sides(classify_texts(classifier, texts)).tolist(), read_pairs(arguments.split))
    print(f"minimal pairs {arguments.split}: texts {100 * pairs.texts.value:.1f}, both {100 * pairs.pairs.value:.1f}")
    for name, part in {"order alone": pairs.order_only, **pairs.by_phenomenon}.items():
        print(f"minimal pairs {arguments.split}, {name}: both {part.correct} of {part.total}")
    found = []
    for entry in arguments.left_out:
        source, _, folder = entry.partition("=")
        texts = texts_of_source(source, arguments.data_dir)
        plain = [text.text for text in texts]
        own = 100 * macro_f1(texts, classify_texts(open_classifier(Path(folder)).classifier, plain))
        words = 100 * macro_f1(texts, vader_scores(plain))
        found.append((own, words))
        print(f"{source}, left out, {len(texts)} texts: macro F1 {own:.1f}, VADER {words:.1f}")
    if found:
        own, words = np.mean(found, axis=0)
        print(f"mean of {len(found)} sources: {own:.1f}, VADER {words:.1f}, difference {own - words:+.1f}")


if __name__ == "__main__":
    main()

"""Let a trained classifier and a linear model label unrated reviews together, for the next run to learn from.

``python -m training.label_reviews --help``. Self-training with a second view (Blum and Mitchell 1998): a network that
reads from end to end and a model of words and pairs of words err on different reviews, so their mean is better than
either, and what it says of so many reviews is more than the network could learn from those with a rating. How
much each counts is chosen on dev.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.bundle import VOCABULARIES
from service.text.pipeline import TextEncoder
from service.text.vocabulary import load_vocabularies
from training.calibration import fit_temperature, probabilities_of
from training.checkpoints import load_classifier
from training.classification import calibrate
from training.classifier_run import ClassifierRun
from training.command_line import run_parser
from training.config import load_config
from training.corpora.text_tasks import SENTIMENT, read_plain_reviews, read_sets, read_training
from training.text_baselines import Recipe, cut_set, fit, logistic_regression, tf_idf
from training.text_mixture import write_taught
from training.text_prediction import predict_logits

LINEAR = Recipe(
    name="TF-IDF of words and pairs, logistic regression",
    vectorizer=tf_idf,
    model=logistic_regression,
    strengths=(10.0, 30.0, 100.0),
)
SHARES = np.linspace(0, 1, 21)  # of the linear model

Logits = npt.NDArray[np.floating]  # (text, class)


def main() -> None:
    parser = run_parser(__doc__)
    parser.add_argument("--num-reviews", type=int, default=30_000)
    arguments = parser.parse_args()
    config = load_config(ClassifierRun, arguments.config)
    folder = arguments.run_dir or Path("runs") / config.name

    (dev,) = read_sets("imdb", "dev", arguments.data_dir)
    texts = read_plain_reviews(arguments.data_dir)[: arguments.num_reviews]
    linear, _ = fit(LINEAR, read_training("imdb", arguments.data_dir), [cut_set(dev)], SENTIMENT)
    network = load_classifier(folder, config)
    encoder = TextEncoder(load_vocabularies(folder / VOCABULARIES)["words"], cache_size=500_000)

    def ask(rows: Sequence[str]) -> dict[str, Logits]:
        return {"network": predict_logits(network, encoder, rows), "linear": np.log(linear.probabilities(rows))}

    gold = np.array([text.label for text in dev.texts])
    of_dev = ask([text.text for text in dev.texts])
    share, temperature = best_mean(of_dev, gold)
    for name, logits in {**of_dev, "both": mean_of(of_dev, share)}.items():
        print(f"dev {name:8} {100 * (logits.argmax(1) == gold).mean():6.2f}")
    print(f"share of the linear model {share:.2f}, temperature {temperature:.2f}; {len(texts)} reviews")
    write_taught(folder / "reviews.tsv", texts, probabilities_of(mean_of(ask(texts), share), temperature))


def best_mean(logits: Mapping[str, Logits], gold: npt.NDArray[np.int64]) -> tuple[float, float]:
    """The linear model's share, and the temperature, under which the gold classes are likeliest."""
    found = []
    for share in SHARES:
        mean = mean_of(logits, share)
        temperature = fit_temperature(mean, gold)
        likelihood = calibrate(gold=gold, probabilities=probabilities_of(mean, temperature)).negative_log_likelihood
        found.append((likelihood, float(share), temperature))
    return min(found)[1:]


def mean_of(logits: Mapping[str, Logits], share: float) -> Logits:
    """Each model's logits are set to the same spread first, so that a share means what it says."""
    network, linear = (part / np.abs(part - part.mean(1, keepdims=True)).mean() for part in logits.values())
    return (1 - share) * network + share * linear


if __name__ == "__main__":
    main()

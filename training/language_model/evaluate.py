"""Measure a language model's bundle: perplexities of held-out text, minimal pairs, likely next words, sample texts.

python -m training.language_model.evaluate models/en-lm --config training/configs/en-lm.toml --split dev
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from service.text.subwords import SPACE
from training.command_line import evaluation_parser
from training.config import load_config
from training.language_model.config import LanguageModelRun
from training.language_model.corpora import Split, read_splits
from training.language_model.measure import held_out, measure_pairs, measure_texts
from training.language_model.predict import LanguageModelBundle

NUM_FIRST, NUM_WORDS = 60, 10  # units that a next word may begin with; words that are told
MAX_WORD_UNITS = 3
PROMPTS = (
    "The students opened their",
    "Thank you for your",
    "Please let me know if you",
    "We are sorry for the",
    "Once upon a time there",
    "The government announced",
)
SAMPLE_PROMPTS = ("", "Thank you for", "The president of the United States", '"I do not', "I need to book a")
TEMPERATURES = (0.2, 0.7, 1.2)
SAMPLE_UNITS, SAMPLE_CHARACTERS = 60, 300
CHARACTER_UNITS = 1000  # a vocabulary of fewer is one of characters


@dataclass(frozen=True, slots=True, kw_only=True)
class NextWord:
    """A word that may follow, and how likely it is, its end included."""

    word: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A text that a model wrote."""

    prompt: str
    temperature: float
    text: str


def main() -> None:
    parser = evaluation_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="names the corpora")
    parser.add_argument("--pairs", type=int, default=5, help="measure every so many-th minimal pair; 0: none")
    arguments = parser.parse_args()
    config = load_config(LanguageModelRun, arguments.config)
    model = LanguageModelBundle.open(arguments.bundle, arguments.precision)
    splits = read_splits(config.sources, arguments.data_dir)
    figures = measure(model, splits, arguments.split, arguments.data_dir, pairs=arguments.pairs)
    print(json.dumps(figures, indent=2))
    if config.units == "subwords":
        for prompt in PROMPTS:
            print(prompt, [f"{each.word} {each.probability:.3f}" for each in next_words(model, prompt)])


def measure(
    model: LanguageModelBundle,
    splits: Mapping[str, Split],
    split: str,
    data_dir: Path | None,
    *,
    pairs: int = 0,
    max_words: int | None = None,
) -> dict[str, Any]:
    """Figures of the texts by source, and of every ``pairs``-th minimal pair."""
    texts = measure_texts(held_out(splits, split, max_words=max_words), model.log_likelihoods, model.encode)
    figures: dict[str, Any] = {"texts": {source: found.as_dict() for source, found in texts.items()}}
    if pairs:
        figures["pairs"] = measure_pairs(model.log_likelihoods, model.encode, data_dir, step=pairs)
    return figures


def next_words(model: LanguageModelBundle, prompt: str) -> list[NextWord]:
    """The likeliest words behind a text. A word is a unit that begins with a space and the likeliest units that go on
    without one; what comes behind it begins anew."""
    pieces = model.subwords.pieces(range(len(model.subwords)))
    goes_on = np.array([piece[:1].isalpha() or piece[:1] == "'" for piece in pieces])
    begins = np.array([piece.startswith(SPACE) and piece[1:2].isalpha() for piece in pieces])
    scores, state = model.step_behind(prompt)
    first = np.argsort(-np.where(begins, scores[0], -np.inf))[: min(NUM_FIRST, begins.sum())]
    found: list[NextWord] = []
    words = [pieces[each].removeprefix(SPACE) for each in first]
    likely = scores[0][first]
    tokens, states = first, np.repeat(state, len(first), axis=0)
    for _ in range(MAX_WORD_UNITS):
        scores, states = model.step(tokens, states)
        shares = np.exp(scores.astype(np.float64))
        ends = 1 - (shares * goes_on).sum(axis=1)
        found += [
            NextWord(word=word, probability=float(np.exp(value) * end))
            for word, value, end in zip(words, likely, ends, strict=True)
        ]
        tokens = np.where(goes_on, scores, -np.inf).argmax(axis=1)
        likely = likely + scores[np.arange(len(tokens)), tokens]
        words = [word + pieces[token] for word, token in zip(words, tokens, strict=True)]
    return sorted(found, key=lambda each: -each.probability)[:NUM_WORDS]


def samples(
    model: LanguageModelBundle, prompts: Sequence[str], *, num_each: int, top_p: float = 1.0, seed: int = 1
) -> list[Sample]:
    """Texts behind each prompt at each of the temperatures."""
    rng = np.random.default_rng(seed)
    count = SAMPLE_CHARACTERS if len(model.subwords) < CHARACTER_UNITS else SAMPLE_UNITS
    return [
        Sample(
            prompt=prompt,
            temperature=temperature,
            text=model.text_of(model.sample(prompt, count, temperature=temperature, rng=rng, top_p=top_p).ids),
        )
        for temperature in TEMPERATURES
        for prompt in prompts
        for _ in range(num_each)
    ]


def as_json(found: Sequence[NextWord] | Sequence[Sample]) -> list[dict[str, Any]]:
    """Return the figures as a report holds them."""
    return [
        {name: round(value, 5) if isinstance(value, float) else value for name, value in asdict(each).items()}
        for each in found
    ]


if __name__ == "__main__":
    main()

"""A classifier bundle's CARD.md, and the corpora behind it."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from training.card import corpora_table, default_text, join_sections, layers_text, table
from training.classifier_run import UNLABELLED, ClassifierRun
from training.config import build
from training.corpora.terms import CLASSIFIER_CORPORA
from training.minimal_pairs import PairsReport

CONFIGS = Path(__file__).with_name("configs")
SETS = {
    "sst2": "SST-2",
    "sst5": "SST-5",
    "imdb": "IMDB",
    "irony": "TweetEval irony",
    "emotion": "TweetEval emotion",
    "offensive": "TweetEval offensive",
}
MEASURES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "f1_irony": "F1 of irony",
    "ece": "expected calibration error",
    "ece_uncalibrated": "expected calibration error without the temperature",
}
OTHERS = {
    "minimal_pairs_texts": "minimal pairs: single texts",
    "minimal_pairs_both": "minimal pairs: both texts of a pair",
    "minimal_pairs_order_only": "minimal pairs of the same words in other order: both texts",
    "labels_changed": "texts that fp32 gives another label, dev",
    "score_difference_mean": "score, against fp32: mean difference, dev",
    "score_difference_max": "score, against fp32: largest difference, dev",
}
TRAINED_ON = {  # by task, the corpora that its classes are learned from
    "sst2": ("sst",),
    "sst5": ("sst",),
    "imdb": ("imdb",),
    "sentiment": ("sst", "imdb"),
    "irony": ("irony",),
    "emotion": ("emotion",),
    "offensive": ("offensive",),
}
REVIEWS = {"sst", "imdb"}  # the rest are tweets
POOLED = {
    "max": "each state's maximum over the text",
    "mean": "the states' mean over the text",
    "last": "the states when all is read",
    "attention": "a mean of the states by learned weights",
}
SELF = "reviews"  # the set that no teacher labelled
PRETRAINED = "{what} began as those of the language model `{run}` (`training/train_language_model.py`).\n"
CONTINUED = "Words and layers began as those of an earlier run, `{run}`, whose configuration lies beside this one's.\n"
VECTORS = "The word table began with GloVe's vectors.\n"
TAUGHT = (
    "It learns, too, what a fine-tuned MiniLM says of plain text: the probability of every class "
    "(`training/train_teacher.py`).\n"
)
SELF_TAUGHT = (
    "It learns, too, what an earlier run and a linear model of word pairs together say of reviews without a rating "
    "(`training/label_reviews.py`).\n"
)
SURE = "Of reviews without a rating it is asked to be sure, not what it is sure of (entropy minimisation).\n"
RECIPE = """
{start}Seed {seed}; every seed is in the configurations. The checkpoint was chosen on the dev sets, and on them the
temperature fitted: logits are divided by {temperature:.3f}, inside the graph. The test sets decided nothing.

```
python -m training.train_classifier training/configs/{name}.toml --bundle models/{name}
python -m training.evaluate_classifier models/{name} --split test
```
"""
TERMS = """
The labelled corpora were published for research, without a licence that says more; whoever uses the model for anything
else should ask what that means where they are. No text of a corpus is part of the bundle, but for the words of its
vocabulary.
"""
MEASURED = """
In percent, of whole texts up to the limit, measured on the graphs that ship. Calibration error: 15 bins of the best
class's probability (Guo et al. 2017).
"""
LIMITS_OF_OPINIONS = """
- Written for opinions about films. About other things it is often right, but nobody measured how often.
- Every text gets one of the classes: of a text that is no opinion, or that is for and against, the label says little.
- Irony, comparisons with what is not named, and what only somebody who knows the world sees as praise or blame go
  wrong.
"""
LIMITS_OF_TWEETS = """
- Trained on a few thousand tweets of about 2015 to 2017, gathered by hashtags that were then taken out: it has learned
  their topics, too, and texts of another kind or year come out worse.
- Every text gets one of the classes, also one for which there is none.
- Nobody should be judged by it: it does not see who speaks, to whom, or in answer to what.
"""
LIMITS_OF_ALL = """
- English. A word that is not in the vocabulary is unknown to it, but for repeated letters and the parts of compounds.
- Probabilities are calibrated on texts like those of the dev sets. On other texts it may be too sure.
"""


def corpora_of(config: ClassifierRun) -> list[dict[str, str]]:
    """What the run learned from, by its configuration and those of the runs it started from."""
    uses = _uses(config)
    return [{**CLASSIFIER_CORPORA[name], "use": "; ".join(dict.fromkeys(found))} for name, found in uses.items()]


def _uses(config: ClassifierRun) -> dict[str, list[str]]:
    uses: dict[str, list[str]] = defaultdict(list)
    for name in TRAINED_ON[config.task]:
        uses[name].append("classes")
    if UNLABELLED in config.epoch_texts:
        uses["imdb-unsup"].append("to be sure of")
    if SELF in config.labelled:
        uses["imdb-unsup"].append("text for an earlier run to label")
    if config.pretrained:
        for name in _pretraining_corpora(Path(config.pretrained).name):
            uses[name].append("pretraining")
    elif config.word_vectors:
        uses["glove"].append("word vectors to begin with")
    if config.labelled.keys() - {SELF}:
        uses["minilm"].append(CLASSIFIER_CORPORA["minilm"]["use"])
        is_review = set(TRAINED_ON[config.task]) <= REVIEWS
        for name in ("imdb-unsup",) if is_review else ("irony", "emotion", "offensive"):
            uses[name].append("text for the teacher to label")
        if is_review:
            uses["sst"].append("classes, by the teacher too")
    return uses


def _pretraining_corpora(run: str) -> Sequence[str]:
    """Those of another run: a classifier's, if a configuration of that name says so, or else the language model's."""
    content = _content(run)
    return tuple(_uses(build(ClassifierRun, content))) if "task" in content else ("imdb", "imdb-unsup", "glove")


def classifier_card(
    manifest: Mapping[str, Any],
    *,
    config: ClassifierRun,
    network: nn.Module,
    difference: float,
    sizes: Mapping[str, int],
    pairs: PairsReport | None,
) -> str:
    """The card as Markdown. ``difference`` is that of the fp32 graph from torch, ``sizes`` by file in bytes."""
    precisions = {name: precision["metrics"] for name, precision in manifest["precisions"].items()}
    figures = list(dict.fromkeys(name for metrics in precisions.values() for name in metrics))
    rows = [[figure_text(n), *(f"{m[n]:.2f}" if n in m else "" for m in precisions.values())] for n in figures]
    is_tweet = not set(TRAINED_ON[config.task]) <= REVIEWS
    sections = [
        f"# {manifest['name']} {manifest['version']}",
        f"{manifest['description']}. Classes: {', '.join(manifest['labels']['label'])}.",
        "## The network",
        network_text(config, network),
        "## Corpora and terms",
        corpora_table(manifest),
        TERMS,
        f"The model as a whole: {manifest['licence']}.",
        "## Recipe",
        RECIPE.format(
            start=start_text(config),
            seed=config.fit.seed,
            name=config.name,
            temperature=manifest["metrics"]["temperature"],
        ),
        "## Figures",
        MEASURED,
        table(["measure", *precisions], rows),
        default_text(manifest, difference, "log-probability"),
        "## Sizes",
        table(["file", "MB"], [[f"`{name}`", f"{size / 1e6:.2f}"] for name, size in sizes.items()]),
        "## Limits",
        f"- Texts of at most {manifest['limits']['max_tokens']} tokens: a longer one is refused, or its beginning read."
        + (LIMITS_OF_TWEETS if is_tweet else LIMITS_OF_OPINIONS)
        + LIMITS_OF_ALL.lstrip("\n")
        + (weakness_text(pairs) if pairs else ""),
    ]
    return join_sections(sections)


def figure_text(name: str) -> str:
    """``test_sst2_ece`` -> ``SST-2 test: expected calibration error``; what has no prefix is of dev."""
    if name in OTHERS:
        return OTHERS[name]
    split, name = ("test", name.removeprefix("test_")) if name.startswith("test_") else ("dev", name)
    part, _, measure = name.partition("_")
    return f"{SETS[part]} {split}: {MEASURES[measure]}"


def _content(run: str) -> dict[str, Any]:
    """The configuration of a run of that name, if there is one."""
    path = CONFIGS / f"{run}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def network_text(config: ClassifierRun, network: nn.Module) -> str:
    net = config.network
    num_weights = sum(value.numel() for value in network.parameters())
    num_words = len(network.words.weight)
    return (
        f"{num_words} words of {net.word_size} numbers, {layers_text(net)}, {POOLED[net.pooling]}, one linear layer. "
        f"{num_weights / 1e6:.1f} M weights: the word table in bytes with one scale a row, stored once for both "
        "precisions; the rest rounded to float16 for storage, or in int8. Computed in float32, or in int8."
    )


def start_text(config: ClassifierRun) -> str:
    parts = [
        _pretrained_text(config) if config.pretrained else "",
        VECTORS if config.word_vectors and not config.pretrained else "",
        TAUGHT if config.labelled.keys() - {SELF} else "",
        SELF_TAUGHT if SELF in config.labelled else "",
        SURE if UNLABELLED in config.epoch_texts else "",
    ]
    return "".join(parts)


def _pretrained_text(config: ClassifierRun) -> str:
    """Layers of another size than the language model's are new ones."""
    run = Path(config.pretrained).name
    content = _content(run)
    if "task" in content:
        return CONTINUED.format(run=run)
    is_same = content.get("network", {}).get("hidden_size", config.network.hidden_size) == config.network.hidden_size
    return PRETRAINED.format(what="Words and layers" if is_same else "The word table", run=run)


def weakness_text(pairs: PairsReport) -> str:
    """The phenomena that go wrong most often, as one more limit; empty if nothing does."""
    ranked = sorted(pairs.by_phenomenon.items(), key=lambda item: item[1].value)
    weak = [f"{name} ({part.correct} of {part.total})" for name, part in ranked[:3] if part.correct < part.total]
    if not weak:
        return ""
    return f"- Of our minimal pairs it gets both texts right least often where they differ in {', '.join(weak)}.\n"

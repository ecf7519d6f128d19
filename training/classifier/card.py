"""The CARD.md of a classifier's bundle, and the corpora and terms behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from training.card import Terms, corpora_table, default_text, join_sections, layers_text, table
from training.classifier.config import ClassifierRun
from training.classifier.corpora import SENTIMENT
from training.corpora.labelled_text import TextCorpus, text_corpora

NOTES = Path(__file__).with_name("notes")  # NAME.md: what a model is for and where it fails, written by hand
POOLED = {
    "max": "each state's maximum over the text",
    "mean": "the states' mean over the text",
    "last": "the states when all is read",
    "attention": "a mean of the states by learned weights",
}
OPEN = "commercial use allowed, with credit to the corpora (CC BY and CC BY-SA among them)"
RESEARCH = "research use: terms of {names}"
RECIPE = """
{start}Seed {seed}. {chosen} were chosen on the dev sets; {test}.

```
{teacher}python -m training.classifier.train training/configs/{name}.toml --bundle models/{name}
python -m training.classifier.evaluate models/{name}{split}
```
"""
NO_TEXT = "No text of a corpus is part of the bundle, but for the words of its vocabulary."
VECTORS = "The word table began with GloVe's vectors. "
TAUGHT = (
    "A MiniLM fine-tuned on the same corpora labelled plain text, and the network learns its probabilities beside "
    "people's labels (`training/classifier/teacher.py`). "
)
STARTED = "It goes on from the weights of version {version} (`training/classifier/bundle_start.py`). "
KEPT = "That version labelled plain text, too, so that it keeps to what it knew. "
REPLACED = (
    "The MiniLM also labelled {count:,} of the written texts with words replaced by others of the same part of speech "
    "(`training/classifier/replaced.py`). "
)
MORE_WORDS = (
    "{count:,} words more than that version knew began with vectors by ridge regression from GloVe's "
    "(`training/classifier/more_words.py`). "
)
MIXED = "Of the weights that ship, {share:.0%} are that version's and the rest new: a mean of both. "
MEASURED = """
In percent, of whole texts, on the graphs that ship; dev unless it says test. `ece` is the expected calibration error of
the likeliest label (15 bins, Guo et al. 2017).
"""
THRESHOLDS = "A text has a label from this probability on: the one with the best F1 of the label on dev."
LIMITS = """
- {language}A word that is not in the vocabulary is unknown, but for repeated letters, parts of compounds, and emoji,
  which are read by their Unicode names.
- Probabilities are calibrated on texts like those of the dev sets. On other texts they may be too sure.
"""


def corpora_of(config: ClassifierRun) -> list[dict[str, Any]]:
    """The corpora that a run learned from, with their use and terms, as a manifest lists them."""
    uses = dict.fromkeys(config.corpora, "labels")
    if SENTIMENT in config.corpora:
        uses["vader"] = "labels of single words and emoticons; choice of plain text"
    if config.plain:
        uses["plain"] = f"plain statements and questions, learned as {', '.join(config.plain)}"
        uses.setdefault("vader", "choice of plain text")
    if config.word_vectors:
        uses["glove"] = "word vectors to begin with"
    if config.teacher:
        uses["taught"] = "text for the teacher to label"
        uses["minilm"] = "the teacher's pretrained weights; none is passed on"
        uses.setdefault("vader", "names of emoji")
    known = text_corpora()
    # A corpus of one's own without an entry there has no terms that are known here.
    terms = [
        known.get(name) or TextCorpus(name=name, title=name, licence="not stated", commercial_use=False, source=name)
        for name in uses
    ]
    return [
        {
            "name": corpus.title,
            "use": uses[corpus.name],
            "licence": corpus.licence,
            "source": corpus.source,
            "commercial_use": corpus.commercial_use,
        }
        for corpus in terms
    ]


def terms_of(config: ClassifierRun) -> Terms:
    """The corpora of a run and the terms of its model."""
    corpora = corpora_of(config)
    licence = licence_of(corpora)
    allowed = [corpus.pop("commercial_use") for corpus in corpora]
    return Terms(corpora=corpora, licence=licence, commercial_use=all(allowed))


def licence_of(corpora: Sequence[Mapping[str, Any]]) -> str:
    """The terms of the model as a whole."""
    restricted = [corpus["name"] for corpus in corpora if not corpus["commercial_use"]]
    return RESEARCH.format(names=", ".join(restricted)) if restricted else OPEN


def classifier_card(
    manifest: Mapping[str, Any],
    *,
    config: ClassifierRun,
    network: nn.Module,
    recipe: str,
    difference: float,
    sizes: Mapping[str, int],
) -> str:
    """The card as Markdown.

    ``recipe`` says how the model was made; ``difference`` is the largest between the fp32 graph and torch; ``sizes``
    are in bytes.
    """
    precisions = {name: precision["metrics"] for name, precision in manifest["precisions"].items()}
    rows = [
        [f"`{name}`", *(f"{metrics[name]:.2f}" for metrics in precisions.values())]
        for name in next(iter(precisions.values()))
    ]
    labels = manifest["labels"]["label"]
    thresholds = [[f"`{label}`", f"{value:.2f}"] for label, value in manifest.get("thresholds", {}).items()]
    notes = NOTES / f"{config.name}.md"
    sections = [
        f"# {manifest['name']} {manifest['version']}",
        f"{manifest['description']}. "
        + (f"Labels: {', '.join(labels)}." if len(labels) < 40 else f"{len(labels)} labels.")
        + (" A text may have several labels, or none." if config.multi_label else ""),
        notes.read_text(encoding="utf-8") if notes.exists() else "",
        "## Network",
        network_text(config, network),
        "## Corpora and terms",
        corpora_table(manifest),
        f"The model as a whole: {manifest['licence']}. {NO_TEXT}",
        "## Recipe",
        recipe,
        "## Figures",
        MEASURED,
        table(["figure", *precisions], rows),
        default_text(manifest, difference, "log-probability"),
        *(["## Thresholds", THRESHOLDS, table(["label", "threshold"], thresholds)] if thresholds else []),
        "## Sizes",
        table(["file", "MB"], [[f"`{name}`", f"{size / 1e6:.2f}"] for name, size in sizes.items()]),
        "## Limits",
        f"- Texts of at most {manifest['limits']['max_tokens']} tokens: a longer one is refused, or its beginning read."
        + LIMITS.format(language="English. " if manifest["languages"] == ["en"] else ""),
    ]
    return join_sections(section for section in sections if section)


def start_text(config: ClassifierRun) -> str:
    """Return sentences on the start of the network and its teacher."""
    sentences = [VECTORS] if config.word_vectors else []
    if config.teacher:
        sentences.append(TAUGHT)
        if config.teacher.num_replaced:
            sentences.append(REPLACED.format(count=config.teacher.num_replaced))
    if config.starts_from:
        sentences.append(STARTED.format(version=config.starts_from))
        if config.teacher:
            sentences.append(KEPT)
        if config.more_words:
            sentences.append(MORE_WORDS.format(count=config.more_words))
        if config.start_share:
            sentences.append(MIXED.format(share=config.start_share))
    return "".join(sentences)


def first_command(config: ClassifierRun) -> str:
    """The commands before training, each with its line break."""
    path = f"training/configs/{config.name}.toml"
    lines = []
    if config.starts_from:
        lines.append(f"python -m training.classifier.bundle_start {path} --bundle models/{config.name}\n")
    if config.teacher and (config.teacher.num_replaced or not config.starts_from):
        lines.append(f"python -m training.classifier.teacher {path}\n")
    return "".join(lines)


def recipe_text(manifest: Mapping[str, Any], config: ClassifierRun) -> str:
    """The recipe of the model, and the commands that make and measure it again."""
    temperature = f"the temperature ({manifest['metrics']['temperature']:.3f})"
    has_test = any(name.startswith("test_") for part in manifest["precisions"].values() for name in part["metrics"])
    return RECIPE.format(
        start=start_text(config),
        seed=config.fit.seed,
        name=config.name,
        teacher=first_command(config),
        chosen=f"The epoch, {temperature} and the threshold of each label"
        if config.multi_label
        else f"The epoch and {temperature}",
        test="the test sets were read once, for this card" if has_test else "the corpora have no test set",
        split=" --split test" if has_test else "",
    )


def network_text(config: ClassifierRun, network: nn.Module) -> str:
    """The layers and sizes of the network, in words."""
    net = config.network
    num_weights = sum(value.numel() for value in network.parameters())
    return (
        f"{len(network.words.weight)} words of {net.word_size} numbers, {layers_text(net)}, {POOLED[net.pooling]}, one "
        f"linear layer. {num_weights / 1e6:.1f} M weights: the word table in bytes with one scale a row, stored once "
        "for both precisions; the rest rounded to float16 for storage, or in int8. Computed in float32, or in int8."
    )

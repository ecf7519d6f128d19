"""The CARD.md of a language model's bundle, and the corpora and terms behind it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from training.card import Terms, corpora_table, default_text, join_sections, layers_text, table
from training.config import FitConfig
from training.corpora.licences import LANGUAGE_MODEL_CORPORA
from training.language_model.config import LanguageModelRun

NOTES = Path(__file__).with_name("notes")  # NAME.md: what a model is for and where it fails, written by hand
USE = "text to predict"
LICENCE = "commercial use allowed, with credit to the corpora (CC BY, CC BY-SA, CC0 and public domain)"
NO_TEXT = "No text of a corpus is part of the bundle, but for the pieces of its units."
RECIPE = """
Truncated backpropagation through time over {streams} streams of {steps} units; AdamW at {rate:g}, its rate falling to
zero {falling}; gradient norm clipped at {clip:g}; a running average of the weights is what ships. Seed
{seed}.{start} {minutes:.0f} minutes on a shared core, {core_minutes:.0f} core-minutes{tokens}. The epoch was
chosen on dev; the test texts were read once, for this card.

```
python -m training.language_model.train training/configs/{name}.toml --bundle models/{name}
python -m training.language_model.baselines training/configs/{name}.toml
```
"""
LIMITS = """
- Prompts of at most {max_tokens} units and continuations of at most {max_target_tokens}.
- {language}It knows nothing of what is true: it writes what is likely after the text before.
- What it writes needs a second look before it is sent to people.
"""
MEASURED = """
Perplexity of a word is that of what stands between white space, however many units spell it, each text's end counted as
a word; every text is read alone.
"""
MEASURED_ON = """
Test texts of `lm-english` are every hundredth block of forty paragraphs; of a book, its last twentieth.
"""


def corpora_of(config: LanguageModelRun) -> list[dict[str, str]]:
    """The corpora of a run, with their terms, as a manifest lists them. Raises KeyError on one without terms."""
    found = {}
    for source in config.sources:
        name = source if source in LANGUAGE_MODEL_CORPORA else source.partition("/")[0]
        terms = LANGUAGE_MODEL_CORPORA[name]
        found[name] = {"name": terms["name"], "use": USE, "licence": terms["licence"], "source": terms["source"]}
    return list(found.values())


def terms_of(config: LanguageModelRun) -> Terms:
    """The corpora of a run and the terms of its model."""
    return Terms(corpora=corpora_of(config), licence=LICENCE, commercial_use=True)


def language_model_card(
    manifest: Mapping[str, Any],
    *,
    config: LanguageModelRun,
    network: nn.Module,
    content: Mapping[str, Any],
    recipe: str,
    difference: float,
    sizes: Mapping[str, int],
) -> str:
    """The card as Markdown; ``content`` is the report's, ``recipe`` says how the model was made."""
    dev = {precision: figures["texts"]["all"] for precision, figures in content["dev"].items()}
    notes = NOTES / f"{config.name}.md"
    rows = [[name, *(f"{figures[name]:.3f}" for figures in dev.values())] for name in next(iter(dev.values()))]
    sections = [
        f"# {manifest['name']} {manifest['version']}",
        f"{manifest['description']}.",
        notes.read_text(encoding="utf-8") if notes.exists() else "",
        "## Network",
        network_text(config, network),
        "## Corpora and terms",
        corpora_table(manifest),
        f"The model as a whole: {manifest['licence']}. {NO_TEXT}",
        "## Recipe",
        recipe,
        "## Figures on test",
        MEASURED,
        table(["figure", "value"], [[name, f"{value:.3f}"] for name, value in manifest["metrics"].items()]),
        "## Precisions, on dev",
        table(["figure", *dev], rows),
        default_text(manifest, difference, "log-probability or state"),
        "## Sizes",
        table(["file", "MB"], [[f"`{name}`", f"{size / 1e6:.2f}"] for name, size in sizes.items()]),
        "## Limits",
        LIMITS.format(**manifest["limits"], language="English. " if manifest["languages"] == ["en"] else ""),
    ]
    return join_sections(section for section in sections if section)


def network_text(config: LanguageModelRun, network: nn.Module) -> str:
    """The layers and sizes of the network, in words."""
    net = config.network
    num_weights = sum(value.numel() for value in network.parameters())
    return (
        f"{layers_text(net)} over {config.units} ({len(network.output_bias):,} kinds, sentencepiece, with bytes for "
        f"what no piece spells) of {net.embedding_size} numbers in one table for input and output. "
        f"{num_weights / 1e6:.1f} M weights. Its state is one vector, whatever the length of the text."
    )


def recipe_text(config: LanguageModelRun, history: list[dict[str, float]]) -> str:
    """Describe how the model was made, and the commands that make and measure it again."""
    tokens = config.epoch_tokens * len(history)  # 0: an epoch is all text
    return RECIPE.format(
        streams=config.num_streams,
        steps=config.num_steps,
        rate=config.fit.learning_rate,
        falling=falling_text(config.fit),
        clip=config.fit.gradient_clip,
        seed=config.fit.seed,
        start=f" It went on from the weights of `{config.starts_from}`." if config.starts_from else "",
        minutes=sum(epoch["seconds"] for epoch in history) / 60,
        core_minutes=sum(epoch["cpu_seconds"] for epoch in history) / 60,
        tokens=f", {tokens / 1e6:.1f} M units read" if tokens else f", {len(history)} epochs",
        name=config.name,
    )


def falling_text(fit: FitConfig) -> str:
    """The part of a training run in which the learning rate falls, in words."""
    if fit.minutes is not None:
        return "by the clock in the second half"
    return (
        "over all epochs" if fit.decay_epochs is None else f"in the last {fit.decay_epochs} of {fit.num_epochs} epochs"
    )

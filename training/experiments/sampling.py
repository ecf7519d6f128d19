"""Measures what temperature, top-k and top-p do to the text that a language model writes.

``python -m training.experiments.sampling --data-dir DIR`` lets a small LSTM write at several settings, and measures how
varied the samples are (distinct n-grams: Li et al. 2016; self-BLEU: Zhu et al. 2018) and how likely an n-gram model of
the same text finds them, beside text written by people. A second network, trained on a share of words of its own
(scheduled sampling), shows whether that helps a model that reads what it wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sacrebleu
import torch
from torch import Tensor

from service.text.pipeline import Ids
from training.experiments.record import COLOURS, Record, experiment_parser
from training.experiments.small_models import Text, add_arguments, read_text, train_ngrams, trained_network
from training.language_model.ngrams import KneserNey
from training.language_model.perplexity import stream_perplexity
from training.networks.language_model import LanguageModel
from training.report import blank_figure, save_figure, table

NEVER = (0, 1, 2)  # padding, unknown and mask are not written
OWN_SHARE = 0.5  # of the words that the second network reads at the end of its training
DEV_WORDS = 20_000  # that the networks' own perplexity is measured on


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A way to draw the next word."""

    temperature: float = 1.0
    top_k: int = 0  # of the likeliest words; 0: of all
    top_p: float = 1.0  # of the fewest words that have this share together (Holtzman et al. 2020)

    def __str__(self) -> str:
        limits = f", top-k {self.top_k}" if self.top_k else f", top-p {self.top_p}" if self.top_p < 1 else ""
        return f"temperature {self.temperature}{limits}"


TEMPERATURES = [Setting(temperature=value) for value in (0.3, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5)]
TOP_K = [Setting(top_k=value) for value in (2, 5, 10, 40, 200)]
TOP_P = [Setting(top_p=value) for value in (0.3, 0.5, 0.7, 0.9, 0.95)]
SCHEDULED = "temperature 1.0, scheduled sampling"
FAMILIES = {"temperature": TEMPERATURES, "top-k": TOP_K, "top-p": TOP_P}
FAMILY_COLOURS = {"temperature": COLOURS["lstm"], "top-k": COLOURS["gru"], "top-p": COLOURS["attention"]}


def draw_words(logits: Tensor, setting: Setting, generator: torch.Generator) -> Tensor:
    """Logits (row, word) -> a word for each row."""
    logits = logits.clone()
    logits[:, list(NEVER)] = -torch.inf
    ordered, words = (logits / setting.temperature).sort(descending=True)
    if setting.top_k:
        ordered[:, setting.top_k :] = -torch.inf
    probabilities = ordered.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    probabilities = probabilities.masked_fill(before >= setting.top_p, 0.0)
    return words.gather(1, torch.multinomial(probabilities, 1, generator=generator))[:, 0]


@torch.inference_mode()
def write(network: LanguageModel, setting: Setting, *, end_id: int, count: int, length: int, seed: int) -> list[Ids]:
    """So many samples of so many words, from the beginning of a text."""
    generator = torch.Generator().manual_seed(seed)
    words, state = torch.full((count,), end_id), None
    written = []
    for _ in range(length):
        logits, state = network(words[:, None], state)
        words = draw_words(logits[:, 0], setting, generator)
        written.append(words)
    return list(torch.stack(written, dim=1).numpy().astype(np.int32))


def distinct(samples: list[Ids], n: int) -> float:
    """The share of all n-grams that are different from each other."""
    grams = [tuple(sample[i : i + n].tolist()) for sample in samples for i in range(len(sample) - n + 1)]
    return len(set(grams)) / len(grams)


def self_bleu(samples: list[Ids], words: tuple[str, ...], most: int = 40) -> float:
    """The mean BLEU of each sample against the others: high if all are alike."""
    texts = [" ".join(words[each] for each in sample) for sample in samples[:most]]
    scorer = sacrebleu.BLEU(tokenize="none", effective_order=True)
    scores = [scorer.sentence_score(text, [*texts[:i], *texts[i + 1 :]]).score for i, text in enumerate(texts)]
    return float(np.mean(scores))


def measure(samples: list[Ids], ngrams: KneserNey, text: Text) -> dict[str, float]:
    """The figures of some samples."""
    values = np.concatenate([each[:-1] for each in ngrams.log_likelihoods(samples)])
    return {
        "distinct-1": distinct(samples, 1),
        "distinct-2": distinct(samples, 2),
        "self-BLEU": self_bleu(samples, text.words),
        "n-gram perplexity": float(np.exp(-values.mean())),
    }


def by_position(samples: list[Ids], ngrams: KneserNey, width: int) -> list[float]:
    """The n-gram perplexity of each stretch of so many words."""
    values = np.stack([each[:-1] for each in ngrams.log_likelihoods(samples)])
    return [float(np.exp(-values[:, i : i + width].mean())) for i in range(0, values.shape[1], width)]


def draw(figures: dict[str, dict[str, float]], people: dict[str, float], record: Record) -> None:
    """Likelihood against variety: a line each family of settings, and people."""
    figure = blank_figure(7.2, 4.8)
    axes = figure.add_subplot()
    for family, settings in FAMILIES.items():
        found = [figures[str(setting)] for setting in settings]
        points = [(each["distinct-2"], each["n-gram perplexity"]) for each in found]
        axes.plot(*zip(*points, strict=True), "-o", color=FAMILY_COLOURS[family], label=family)
        for (x, y), setting in zip(points, settings, strict=True):
            value = {"temperature": setting.temperature, "top-k": setting.top_k, "top-p": setting.top_p}[family]
            axes.annotate(
                f"{value:g}", (x, y), (4, -9), textcoords="offset points", fontsize=8, color=FAMILY_COLOURS[family]
            )
    axes.plot(people["distinct-2"], people["n-gram perplexity"], "*", markersize=15, color="black", label="people")
    axes.set(yscale="log", xlabel="distinct pairs of words, share", ylabel="perplexity under the 3-gram model")
    axes.set_title("Cautious text is likely and dull, bold text varied and odd")
    axes.legend(fontsize=9, loc="upper left")
    axes.grid(color="0.93")
    save_figure(figure, record.folder / "variety.png")


def main() -> None:
    parser = experiment_parser(__doc__, "sampling")
    add_arguments(parser)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/experiments"), help="where networks are left")
    parser.add_argument("--num-samples", type=int, default=150)
    parser.add_argument("--length", type=int, default=30, help="words of a sample")
    arguments = parser.parse_args()
    record = Record(arguments, "Temperature and sampling")
    text = read_text(arguments)
    network, _ = trained_network(text, "lstm", arguments, arguments.run_dir)
    ngrams = train_ngrams(text, 3)

    people = [each[: arguments.length] for each in text.dev if len(each) >= arguments.length][: arguments.num_samples]
    figures = {"people": measure(people, ngrams, text)}
    examples: dict[str, str] = {}
    shapes = {"count": len(people), "length": arguments.length, "seed": arguments.seed}
    for setting in [each for settings in FAMILIES.values() for each in settings]:
        samples = write(network, setting, end_id=text.units.end_id, **shapes)
        figures[str(setting)] = measure(samples, ngrams, text)
        examples[str(setting)] = " ".join(text.words[each] for each in samples[0])
        if setting == Setting():
            free_running = by_position(samples, ngrams, 10)

    scheduled, _ = trained_network(text, "lstm", arguments, arguments.run_dir, OWN_SHARE)
    samples = write(scheduled, Setting(), end_id=text.units.end_id, **shapes)
    figures[SCHEDULED] = measure(samples, ngrams, text)
    positions = {
        "text of people": by_position(people, ngrams, 10),
        "written": free_running,
        "written, scheduled sampling": by_position(samples, ngrams, 10),
    }
    dev = drawn_texts(text.dev, DEV_WORDS)
    own = {
        name: stream_perplexity(each, dev, text.units.end_id)["perplexity_forwards"]
        for name, each in (("plain", network), ("scheduled", scheduled))
    }

    draw(figures, figures["people"], record)
    record.keep(figures=figures, perplexity_by_ten_words=positions, perplexity_of_dev=own, examples=examples)
    write_text(record, figures, examples, positions, own, arguments)
    record.write()


def drawn_texts(texts: list[Ids], num_words: int) -> list[Ids]:
    """The first texts that have so many words together."""
    lengths = np.cumsum([len(text) for text in texts])
    return texts[: 1 + int(np.searchsorted(lengths, num_words))]


def write_text(
    record: Record,
    figures: Any,
    examples: Any,
    positions: dict[str, list[float]],
    own: dict[str, float],
    sizes: Any,
) -> None:
    """The report's paragraphs and tables."""
    record.say(
        f"""An LSTM of {sizes.hidden_size} units, trained for minutes, writes {sizes.num_samples} beginnings of
        {sizes.length} words at each setting. Distinct n-grams and self-BLEU say how varied they are; the perplexity
        under a 3-gram model of the same training text says how expected. People's beginnings of held-out texts stand
        beside them; words that the model does not know count as one word there."""
    )
    record.show("variety.png", "perplexity against variety, by setting")
    names = ["distinct-1", "distinct-2", "self-BLEU", "n-gram perplexity"]
    rows = []
    for name, found in figures.items():
        cells = [f"{found['distinct-1']:.2f}", f"{found['distinct-2']:.2f}", f"{found['self-BLEU']:.1f}"]
        rows.append([name, *cells, f"{found['n-gram perplexity']:.0f}"])
    record.lines += table(["", *names], rows)
    record.lines += ["The first sample of some settings:", ""]
    shown = [TEMPERATURES[0], TEMPERATURES[2], TEMPERATURES[4], TEMPERATURES[6], TOP_K[2], TOP_P[3]]
    record.lines += table(["setting", "text"], [[str(each), examples[str(each)]] for each in shown])
    record.say(
        f"""Does a model drift as it reads its own words instead of people's (exposure bias)? Perplexity under the
        n-gram model by place in the text, at temperature 1. "Scheduled sampling" is a second network, which in training
        read a share of its own words that rose to {100 * OWN_SHARE:.0f} %. Its perplexity on people's text is
        {own["scheduled"]:.0f}, that of the first network {own["plain"]:.0f}."""
    )
    count = len(positions["written"])
    header = ["words", *(f"{10 * i + 1} to {10 * i + 10}" for i in range(count))]
    record.lines += table(header, [[name, *(f"{each:.0f}" for each in found)] for name, found in positions.items()])


if __name__ == "__main__":
    main()

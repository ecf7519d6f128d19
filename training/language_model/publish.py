"""Make a bundle of a trained language model: graphs, units, examples, card, manifest, and a report beside the run.

``training/language_model/train.py --bundle`` ends with this. The best weights so far of a run that goes on are
published by

    python -m training.language_model.publish training/configs/en-lm.toml --bundle models/en-lm
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from service.bundle import CARD, EXAMPLES, SUBWORDS, load_bundle, write_manifest
from service.text.subwords import Subwords
from training.card import Terms
from training.checkpoints import history_of_training
from training.command_line import publishing_parser
from training.config import load_config
from training.export import GRAPHS, ExportError
from training.language_model.card import MEASURED_ON, language_model_card, recipe_text, terms_of
from training.language_model.config import LanguageModelRun
from training.language_model.corpora import Split, read_splits
from training.language_model.evaluate import PROMPTS, SAMPLE_PROMPTS, as_json, measure, next_words, samples
from training.language_model.export import READERS, make_final, write_language_model
from training.language_model.graphs import step_inputs, step_outputs
from training.language_model.predict import LanguageModelBundle
from training.language_model.report import BASELINES, write_report
from training.networks.language_model import LanguageModel
from training.publish import MAX_DRIFT, write_draft

MAX_TOKENS, MAX_TARGET_TOKENS = 2048, 1024  # of a prompt; of a continuation
PRECISIONS = ("int8", "fp32")  # that are measured; the first is the default and ships
REASON = (
    "An answer is the same to the last bit alone and in any batch, in int8 too: activations are bounded and quantised "
    "with fixed scales. See precisions for what int8 costs on dev."
)
BOOK_PROMPTS = ("ROMEO:\n", "Prince Andrew ", "To be, or not to be")
TEXT_SAMPLES: Mapping[str, Any] = {"prompts": SAMPLE_PROMPTS, "num_each": 2, "top_p": 0.95}
BOOK_SAMPLES: Mapping[str, Any] = {"prompts": BOOK_PROMPTS, "num_each": 1}
EXAMPLE_PROMPTS = {
    "subwords": (
        "The students opened their",
        "Thank you for your",
        "Once upon a time",
        "The United States of",
        "I would like to book a table for",
        "He looked at her and",
        "What time is it",
        "",
        "In the beginning of the",
        "Is there anything else I can",
    ),
    "characters": ("ROM", "Prince And", "To be, or not to", "", "The emper", "My lord, ", "the countess sa", "Nat"),
}
EXAMPLE_UNITS = 6
MARGIN = 0.15  # of the likeliest unit over the next, at every step of an example
FIGURES_WORDS = 8_000  # of each source, on dev, in both precisions


def main() -> None:
    arguments = publishing_parser(__doc__).parse_args()
    config = load_config(LanguageModelRun, arguments.config)
    run = arguments.run_dir or Path("runs") / config.name
    subwords = Subwords.load(run / SUBWORDS, symbols=())
    network = LanguageModel(vocabulary_size=len(subwords), config=config.network)
    network.load_state_dict(torch.load(run / "best.pt", weights_only=True, map_location="cpu")["network"])
    publish(network, config=config, folder=arguments.bundle, data_dir=arguments.data_dir, run=run)


def publish(
    network: LanguageModel, *, config: LanguageModelRun, folder: Path, data_dir: Path | None, run: Path
) -> dict[str, Any]:
    """Call :func:`write_bundle` with the corpora of the configuration."""
    facts = Facts(
        terms=terms_of(config),
        recipe=lambda history, _: recipe_text(config, history) + MEASURED_ON,
        example_prompts=EXAMPLE_PROMPTS[config.units],
        pairs=1 if config.units == "subwords" else 0,
        prompts=PROMPTS if config.units == "subwords" else (),
        samples=TEXT_SAMPLES if config.units == "subwords" else BOOK_SAMPLES,
        data_dir=data_dir,
    )
    return write_bundle(
        network, config=config, splits=read_splits(config.sources, data_dir), facts=facts, folder=folder, run=run
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """The fields of a bundle that training does not find out, and the texts that show what a model writes."""

    terms: Terms
    languages: Sequence[str] = ("en",)
    recipe: Callable[[list[dict[str, float]], Mapping[str, Any]], str]  # a section of the card; history, test figures
    example_prompts: Sequence[str]
    example_units: int = EXAMPLE_UNITS
    pairs: int = 0  # every so many-th minimal pair is measured; 0: none
    prompts: Sequence[str] = ()  # whose likeliest next words the report has
    samples: Mapping[str, Any]  # arguments of training.language_model.evaluate.samples
    data_dir: Path | None = None  # of minimal pairs


def write_bundle(
    network: LanguageModel,
    *,
    config: LanguageModelRun,
    splits: Mapping[str, Split],
    facts: Facts,
    folder: Path,
    run: Path,
) -> dict[str, Any]:
    """Write the bundle into ``folder`` and the report into ``run/report``; returns the test figures.

    ``network`` becomes the one that ships (:func:`training.language_model.export.make_final`). Raises ExportError,
    before anything is written, if the graphs do not do what the network does.
    """
    network.cpu().eval()
    make_final(network)
    full = run / "bundle"  # in both precisions; what ships has the default alone
    described = {"terms": facts.terms, "languages": facts.languages}
    shown = {"example_prompts": facts.example_prompts, "example_units": facts.example_units}
    write_answering(network, config, run, full, precisions=PRECISIONS, **described, **shown)
    models = {name: LanguageModelBundle.open(full, name) for name in PRECISIONS}
    dev = {name: measure(model, splits, "dev", None, max_words=FIGURES_WORDS) for name, model in models.items()}
    model = models[PRECISIONS[0]]
    test = measure(model, splits, "test", facts.data_dir, pairs=facts.pairs)
    content = {
        "title": f"{config.name} {config.version}",
        "dev": dev,
        "test": test,
        "next_words": {prompt: as_json(next_words(model, prompt)) for prompt in facts.prompts},
        "samples": as_json(samples(model, **facts.samples)),
        "history": history_of_training(run),
        "baselines": _baselines(run),
    }
    write_report(run / "report", config, content)
    difference = write_answering(network, config, run, folder, precisions=PRECISIONS[:1], **described, **shown)
    manifest = manifest_of(config, network, **described, dev={PRECISIONS[0]: dev[PRECISIONS[0]]}, test=test)
    files = load_bundle(folder).manifest.files
    card = language_model_card(
        manifest,
        config=config,
        network=network,
        content=content,
        recipe=facts.recipe(content["history"], test),
        difference=difference,
        sizes={name: file.size_bytes for name, file in files.items() if name not in (EXAMPLES, CARD)},
    )
    (folder / CARD).write_text(card, encoding="utf-8")
    write_manifest(folder, manifest)
    prove(folder)
    return test


def write_answering(
    network: LanguageModel,
    config: LanguageModelRun,
    run: Path,
    folder: Path,
    *,
    terms: Terms,
    languages: Sequence[str] = ("en",),
    example_prompts: Sequence[str],
    example_units: int,
    precisions: Sequence[str],
) -> float:
    """Write a bundle without card and figures, its units those of the run's folder; returns by how much its fp32 graph
    differs from torch. Raises ExportError if the precisions go on alike behind no prompt of the examples."""
    difference = write_language_model(network, folder, precisions)
    shutil.copyfile(run / SUBWORDS, folder / SUBWORDS)
    nothing: Mapping[str, Any] = {name: {} for name in precisions}
    draft = manifest_of(config, network, terms=terms, languages=languages, dev=nothing, test={})
    write_draft(folder, draft)
    models = [LanguageModelBundle.open(folder, name) for name in precisions]
    examples = [found for prompt in example_prompts if (found := example_of(models, prompt, example_units))]
    if not examples:
        raise ExportError(f"{', '.join(precisions)} agree on no example")
    lines = ",\n".join(json.dumps(example, ensure_ascii=False) for example in examples)
    (folder / EXAMPLES).write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    write_manifest(folder, draft)
    return difference


def example_of(models: Sequence[LanguageModelBundle], prompt: str, num_units: int) -> dict[str, Any] | None:
    """A prompt and what the first model says next; None where models differ, or where two units are as good as
    equal."""
    first, *others = (model.greedy(prompt, num_units) for model in models)
    if min(first.margins) < MARGIN or any(other.ids != first.ids for other in others):
        return None
    model = models[0]
    return {
        "prompt": prompt,
        "log_probability": round(float(model.log_likelihoods([model.encode(prompt)])[0][:-1].sum()), 5),
        "continuation": model.text_of(first.ids),
        "scores": [round(score, 5) for score in first.scores],
    }


def prove(folder: Path) -> None:
    """Answer the examples of a bundle again. Raises ExportError if an answer is another."""
    bundle = load_bundle(folder)
    for precision, variant in bundle.manifest.precisions.items():
        model = LanguageModelBundle(bundle, precision)
        for example in json.loads((folder / EXAMPLES).read_text(encoding="utf-8")):
            found = model.greedy(example["prompt"], len(example["scores"]))
            near = np.allclose(found.scores, example["scores"], rtol=0, atol=variant.max_drift)
            if model.text_of(found.ids) != example["continuation"] or not near:
                raise ExportError(f"{folder}: {precision} goes on otherwise behind {example['prompt']!r}")


def manifest_of(
    config: LanguageModelRun,
    network: LanguageModel,
    *,
    terms: Terms,
    languages: Sequence[str] = ("en",),
    dev: Mapping[str, Any],
    test: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of a bundle in the precisions of ``dev``, the first one the default."""
    return {
        "name": config.name,
        "version": config.version,
        "task": "generate",
        "default": config.is_default,
        "languages": list(languages),
        "description": config.description,
        **terms.fields,
        "features": {},
        "labels": {},
        "limits": {"max_tokens": MAX_TOKENS, "max_target_tokens": MAX_TARGET_TOKENS},
        "inputs": [_tensor(value) for value in step_inputs(network)],
        "outputs": [_tensor(value) for value in step_outputs(network)],
        "precisions": {
            name: {
                "file": GRAPHS[name],
                "encoder": READERS[name],
                "metrics": figures_of(figures),
                "max_drift": MAX_DRIFT[name],
            }
            for name, figures in dev.items()
        },
        "default_precision": next(iter(dev)),
        "default_reason": REASON,
        "metrics": figures_of(test),
    }


def figures_of(measured: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a manifest: those of all texts together, and accuracies on minimal pairs in percent."""
    if not measured:
        return {}
    texts = measured["texts"]["all"]
    found = {name: texts[name] for name in ("word_perplexity", "unit_perplexity", "bits_per_character")}
    return found | {
        f"{name}_accuracy": round(100 * groups["all"], 2) for name, groups in measured.get("pairs", {}).items()
    }


def _baselines(run: Path) -> Any:
    path = run / BASELINES
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _tensor(value: onnx.ValueInfoProto) -> dict[str, Any]:
    kinds = {onnx.TensorProto.INT32: "int32", onnx.TensorProto.INT64: "int64", onnx.TensorProto.FLOAT: "float32"}
    tensor = value.type.tensor_type
    shape = [axis.dim_param or axis.dim_value for axis in tensor.shape.dim]
    return {"name": value.name, "type": kinds[tensor.elem_type], "shape": shape}


if __name__ == "__main__":
    main()

"""Make a bundle of a trained translator: graphs, subwords, examples, card, manifest, every figure measured on it.

``training/train_translator.py`` ends with this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch

from service.bundle import CARD, EXAMPLES, SUBWORDS, load_bundle, write_manifest
from service.predictors.translation import Wish
from service.predictors.translator import TranslateExample
from service.predictors.translator import Translator as Predictor
from service.text.subwords import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subwords
from training.checkpoints import history_of_training
from training.corpora.terms import TRANSLATOR_CORPORA
from training.evaluate_translator import TranslatedSet, engine_here, measure, open_translator, sets_of
from training.evaluate_translator_report import Measured, attentions_of, make_report
from training.export import GRAPHS, round_weights
from training.export_translator import ENCODER, write_translator
from training.networks.translator import Translator
from training.publish import finish_bundle, precision_fields, write_draft, write_examples
from training.subword_training import tag_of
from training.translator_card import translator_card
from training.translator_graphs import step_inputs, step_outputs
from training.translator_report import write_translator_report
from training.translator_run import TranslatorRun

MAX_TOKENS, MAX_TARGET_TOKENS = 128, 256  # of one sentence; longer ones were not among the training pairs
REASON = (
    "An answer is the same to the last bit alone and in any batch, in int8 too: activations are bounded and quantised "
    "with fixed scales. See precisions for what int8 costs on dev."
)
DEFAULT = "int8"  # as exact a function of its row as fp32, and several times as fast
BEAM_SIZE = 4
NEVER = -1e4  # added to a logit
EXAMPLE_SENTENCES = (
    "A man is riding a bicycle down the street.",
    "Two dogs play in the snow.",
    "A little girl in a red dress is eating an apple.",
    "People are sitting at a table outside.",
    "A woman is reading a book.",
    "I don't know where she lives.",
    "What time is it?",
    "Can you help me?",
    "We will meet tomorrow at the station.",
    "Write to info@example.com before 2031, please!",
)


def publish(
    network: Translator,
    subwords: Subwords,
    *,
    config: TranslatorRun,
    folder: Path,
    data_dir: Path | None,
    report: Path,
) -> dict[str, float]:
    """Write the bundle and the report; returns the test figures of the default precision.

    The network becomes the one that ships: its weights are rounded. The training curve of the report is that of the
    run in the folder around it. Raises ExportError, before anything is written, if the graphs do not do what the
    network does.
    """
    network = network.cpu().eval()
    difference = write_answering(network, subwords, config, folder)
    bundle = load_bundle(folder)
    engines = {
        precision: engine_here(open_translator(bundle, precision), beam_size=BEAM_SIZE, length_penalty=1.0)
        for precision in (DEFAULT, *(GRAPHS.keys() - {DEFAULT}))
    }
    dev, test = (
        {precision: measure(engine, sets_of(bundle.manifest, split, data_dir)) for precision, engine in engines.items()}
        for split in ("dev", "test")
    )
    figures = figures_of(test[DEFAULT])
    final = manifest_of(config, network, precisions=precision_figures(dev, test), test=figures)
    signature = test[DEFAULT][0].quality.signature
    title = f"{config.name} {config.version}, test"
    attentions = attentions_of(open_translator(bundle, DEFAULT), test[DEFAULT])
    write_translator_report(make_report(title, test, history_of_training(report.parent), attentions), report)
    card = translator_card(
        final,
        config=config,
        network=network,
        difference=difference,
        sizes={n: file.size_bytes for n, file in bundle.manifest.files.items() if n not in (EXAMPLES, CARD)},
        signature=signature,
        beam_size=BEAM_SIZE,
    )
    finish_bundle(folder, final, card, open_translator)
    return figures


def write_answering(network: Translator, subwords: Subwords, config: TranslatorRun, folder: Path) -> float:
    """Write a bundle that answers, without figures and card; returns by how much its graphs differ from torch.

    The network becomes the one that ships: its weights are rounded."""
    round_weights(network)
    silence(network, subwords)
    difference = write_translator(network, folder)
    (folder / SUBWORDS).write_bytes(subwords.processor.serialized_model_proto())
    draft = manifest_of(config, network, precisions={}, test={})
    write_draft(folder, draft)
    translators = {precision: open_translator(load_bundle(folder), precision) for precision in GRAPHS}
    write_examples(translators, examples_of(translators["fp32"]), folder)
    write_manifest(folder, draft)
    return difference


def silence(network: Translator, subwords: Subwords) -> None:
    """What no text can hold is never said: padding, unknown, begin, the languages' tags."""
    spoken = [EOS_ID, *(each for each in range(len(subwords)) if not subwords.processor.is_control(each))]
    silent = torch.ones(len(subwords), dtype=torch.bool)
    silent[spoken] = False
    silent[[PAD_ID, UNK_ID, BOS_ID]] = True
    with torch.no_grad():
        network.output_bias[silent] = NEVER


def manifest_of(
    config: TranslatorRun,
    network: Translator,
    *,
    precisions: Mapping[str, Mapping[str, float]],
    test: Mapping[str, float],
) -> dict[str, Any]:
    pairs = [direction.split("-") for direction in config.directions]
    fields = precision_fields(precisions, reason=REASON) | {"default_precision": DEFAULT}
    for precision in fields["precisions"].values():
        precision["encoder"] = ENCODER
    return {
        "name": config.name,
        "version": config.version,
        "task": "translate",
        "default": config.is_default,
        "languages": sorted({language for pair in pairs for language in pair}),
        "pairs": [{"source": source, "target": target, "tag": tag_of(target)} for source, target in pairs],
        "description": config.description,
        "licence": licence_of(config.corpora),
        "corpora": [dict(TRANSLATOR_CORPORA[name]) for name in config.corpora],
        "features": {},
        "labels": {},
        "limits": {"max_tokens": MAX_TOKENS, "max_target_tokens": MAX_TARGET_TOKENS},
        "inputs": [_described(value) for value in step_inputs(network)],
        "outputs": [_described(value) for value in step_outputs(network)],
        **fields,
        "metrics": dict(test),
    }


def licence_of(corpora: tuple[str, ...]) -> str:
    """Of a model that learned from these."""
    return "CC BY-NC-SA 4.0" if "multi30k" in corpora else "CC BY 4.0"


def examples_of(translator: Predictor) -> list[TranslateExample]:
    """Our sentences in every pair and what the translator makes of them."""
    examples = []
    for pair in translator.pairs:
        answers = translator.translate(EXAMPLE_SENTENCES, Wish(pair=pair))
        for text, translations in zip(EXAMPLE_SENTENCES, answers, strict=True):
            best = translations[0]
            examples.append(
                TranslateExample(
                    source=pair.source,
                    text=text,
                    target=pair.target,
                    translation=best.text,
                    score=round(best.score, 5),
                )
            )
    return examples


def figures_of(measured: Sequence[TranslatedSet]) -> dict[str, float]:
    return {name: value for part in measured for name, value in part.figures().items()}


def precision_figures(dev: Measured, test: Measured) -> dict[str, dict[str, float]]:
    """What a manifest says of each precision: its figures on dev; those on test behind ``test_``."""
    return {
        name: figures_of(dev[name]) | {f"test_{key}": value for key, value in figures_of(test[name]).items()}
        for name in dev
    }


def _described(value: onnx.ValueInfoProto) -> dict[str, Any]:
    """An input or output of a graph as a manifest says it."""
    kind = value.type.tensor_type
    return {
        "name": value.name,
        "type": onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
        "shape": [axis.dim_param or axis.dim_value for axis in kind.shape.dim],
    }

"""Publish a trained translator as a bundle: graphs, subwords, examples, card, and a manifest with measured figures.

:mod:`training.translator.train` calls it at its end. The best weights so far of a run that goes on are published by

    python -m training.translator.publish training/configs/en-xx.toml --bundle models/en-xx
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch

from service.bundle import CARD, EXAMPLES, SUBWORDS, load_bundle, write_manifest
from service.predictors.translation import TranslateOptions
from service.predictors.translator import TranslateExample
from service.predictors.translator import Translator as Predictor
from service.text.placeholders.items import scan
from service.text.subwords import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subwords
from training.card import Terms
from training.checkpoints import history_of_training, load_translator
from training.command_line import publishing_parser
from training.config import load_config
from training.corpora.parallel import PairSet, read_sets
from training.export import round_weights
from training.networks.translator import Translator
from training.publish import finish_bundle, precision_fields, write_draft, write_examples
from training.translator.bundle_report import attentions_of, make_report, write_translator_report
from training.translator.calibrate import Reliability
from training.translator.card import card_recipe, translator_card
from training.translator.config import TranslatorRun
from training.translator.evaluate import TranslatedSet, engine_here, figures_of, measure, open_translator, print_figures
from training.translator.evaluate_confidence import calibrate_on, limited
from training.translator.export import ENCODERS, PRODUCTS, write_translator
from training.translator.graphs import step_inputs, step_outputs
from training.translator.prepare import domain_sets, folder_of_pairs, mixture_of, read_prepared
from training.translator.shortlist import SAMPLED_TOKENS, Shortlist, shortlist_of_pairs
from training.translator.subwords import tag_of
from training.translator.terms import terms_of

MAX_TOKENS, MAX_TARGET_TOKENS = 128, 256  # of one sentence; longer ones were not among the training pairs
SPLIT_TOKENS = 45  # of a sentence that is translated whole; longer ones in parts
REASON = (
    "An answer is the same to the last bit alone and in any batch, in int8 too: activations are bounded and quantised "
    "with fixed scales. See precisions for what int8 costs on dev."
)
DEFAULT = "int8"  # as independent of its neighbours as fp32, and several times as fast
PRECISIONS = (DEFAULT, "fp32")  # measured; only the default ships
BEAM_SIZE = 4
CARD_SENTENCES = 200  # of each dev set of broad sources, in both precisions
CALIBRATION_SENTENCES = 700  # of each dev set; half of them fit the confidence, the others measure it
MARGIN = 0.1  # of the score of an example over that of the next hypothesis
NEVER = -1e4  # added to a logit
EXAMPLE_SENTENCES = {  # by source language
    "en": (
        "Your password has expired.",
        "Click Save to apply the changes.",
        "The meeting starts at 10:30 in room 204.",
        "The government announced new measures on Monday.",
        "I don't know where she lives.",
        "What time is it?",
        "Can you help me?",
        "We will meet tomorrow at the station.",
        "Write to info@example.com before 2031, please!",
        "Settings",
    ),
    "es": (
        "Su contraseña ha caducado.",
        "Haga clic en Guardar para aplicar los cambios.",
        "El gobierno anunció nuevas medidas el lunes.",
        "No sé dónde vive.",
        "¿Puedes ayudarme?",
        "Nos vemos mañana en la estación.",
    ),
    "de": (
        "Ihr Passwort ist abgelaufen.",
        "Klicken Sie auf Speichern, um die Änderungen zu übernehmen.",
        "Die Regierung kündigte am Montag neue Maßnahmen an.",
        "Ich weiß nicht, wo sie wohnt.",
        "Können Sie mir helfen?",
        "Wir treffen uns morgen am Bahnhof.",
    ),
    "fr": (
        "Votre mot de passe a expiré.",
        "Cliquez sur Enregistrer pour appliquer les modifications.",
        "Le gouvernement a annoncé de nouvelles mesures lundi.",
        "Je ne sais pas où elle habite.",
        "Pouvez-vous m'aider ?",
        "Nous nous retrouverons demain à la gare.",
    ),
}


def publish(
    network: Translator,
    subwords: Subwords,
    *,
    config: TranslatorRun,
    folder: Path,
    data_dir: Path | None,
    report: Path,
) -> dict[str, float]:
    """Call :func:`write_bundle` with the sets of the configuration and a shortlist learned from its prepared pairs."""

    def calibrate_on_dev(translator: Predictor) -> tuple[dict[str, Any] | None, Mapping[str, Reliability]]:
        if not config.tiers:  # a run on narrow corpora
            return None, {}
        sets = {
            direction: limited(domain_sets(direction, split="dev", data_dir=data_dir), CALIBRATION_SENTENCES)
            for direction in config.directions
        }
        return calibrate_on(translator, sets, precision=config.good_share)

    facts = Facts(
        terms=terms_of(config),
        dev=sets_of_dev(config, data_dir),
        test=read_sets(config.corpora, config.directions, "test", data_dir),
        calibrate=calibrate_on_dev,
        recipe=lambda _: card_recipe(config),
        shortlist=shortlist_of_run(config, subwords, report.parent),
    )
    return write_bundle(network, subwords, config=config, facts=facts, folder=folder, report=report)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """The fields of a bundle that training does not find out, and the sets that measure it."""

    terms: Terms
    dev: Sequence[PairSet]
    test: Sequence[PairSet]
    calibrate: Callable[[Predictor], tuple[dict[str, Any] | None, Mapping[str, Reliability]]]
    recipe: Callable[[Sequence[TranslatedSet]], str]  # a section of the card, from the translated test sets
    shortlist: Shortlist | None = None


def write_bundle(
    network: Translator,
    subwords: Subwords,
    *,
    config: TranslatorRun,
    facts: Facts,
    folder: Path,
    report: Path,
) -> dict[str, float]:
    """Write the bundle and the report; returns the test figures of the default precision.

    The weights of the network are rounded as they ship. The training curve of the report is that of the run in the
    folder around it. Raises ExportError, before anything is written, if the graphs do not give the output of the
    network.
    """
    network = network.cpu().eval()
    full = report.parent / "bundle"  # in both precisions; what ships has the default alone
    write_answering(network, subwords, config, full, facts=facts, precisions=PRECISIONS)
    bundle = load_bundle(full)
    engines = {
        precision: engine_here(open_translator(bundle, precision), beam_size=BEAM_SIZE, length_penalty=1.0)
        for precision in PRECISIONS
    }
    confidence, reliability = facts.calibrate(open_translator(bundle, DEFAULT))
    dev = {precision: measure(engine, facts.dev) for precision, engine in engines.items()}
    test = measure(engines[DEFAULT], facts.test)
    figures = figures_of(test)
    title = f"{config.name} {config.version}, test"
    attentions = attentions_of(open_translator(bundle, DEFAULT), test)
    write_translator_report(make_report(title, {DEFAULT: test}, history_of_training(report.parent), attentions), report)

    difference = write_answering(network, subwords, config, folder, facts=facts, precisions=(DEFAULT,))
    measured = {DEFAULT: figures_of(dev[DEFAULT])}
    final = manifest_of(config, network, facts, precisions=measured, test=figures)
    final |= {"confidence": confidence} if confidence else {}
    card = translator_card(
        final,
        config=config,
        network=network,
        dev={precision: figures_of(measured) for precision, measured in dev.items()},
        recipe=facts.recipe(test),
        reliability=reliability,
        difference=difference,
        sizes={
            n: file.size_bytes for n, file in load_bundle(folder).manifest.files.items() if n not in (EXAMPLES, CARD)
        },
        signature=test[0].quality.signature,
        beam_size=BEAM_SIZE,
        shortlist=facts.shortlist,
    )
    finish_bundle(folder, final, card, open_translator)
    return figures


def shortlist_of_run(config: TranslatorRun, subwords: Subwords, run: Path) -> Shortlist | None:
    """The shortlist of a run, learned from its prepared pairs in a minute or two."""
    pairs = read_prepared(folder_of_pairs(config, run), directions=config.directions, max_tokens=config.max_tokens)
    mixture = mixture_of(config, pairs, epoch_tokens=SAMPLED_TOKENS)
    return shortlist_of_pairs(pairs, subwords, mixture, seed=config.fit.seed, size=config.shortlist_size)


def sets_of_dev(config: TranslatorRun, data_dir: Path | None) -> list[PairSet]:
    """The dev sets of the card.

    They are those of the corpora or, of broad sources, a sample of every domain, the business slices as one.
    ``training/translator/report.py`` measures them whole.
    """
    if not config.tiers:
        return read_sets(config.corpora, config.directions, "dev", data_dir)
    sets = [each for direction in config.directions for each in domain_sets(direction, split="dev", data_dir=data_dir)]
    return limited(sets, CARD_SENTENCES)


def write_answering(
    network: Translator,
    subwords: Subwords,
    config: TranslatorRun,
    folder: Path,
    *,
    facts: Facts,
    precisions: Sequence[str],
) -> float:
    """Write a bundle that answers, without figures and card; returns the difference of its graphs from torch.

    The weights of the network are rounded as they ship.
    """
    round_weights(network)
    silence(network, subwords)
    difference = write_translator(network, folder, precisions, facts.shortlist)
    (folder / SUBWORDS).write_bytes(subwords.processor.serialized_model_proto())
    draft = manifest_of(config, network, facts, precisions={name: {} for name in precisions}, test={})
    write_draft(folder, draft)
    translator = open_translator(load_bundle(folder), DEFAULT)
    write_examples({DEFAULT: translator}, examples_of(translator), folder)
    write_manifest(folder, draft)
    return difference


def silence(network: Translator, subwords: Subwords) -> None:
    """Forbid the tokens that no text has: padding, unknown, begin, the tags of languages."""
    spoken = [EOS_ID, *(each for each in range(len(subwords)) if not subwords.processor.is_control(each))]
    silent = torch.ones(len(subwords), dtype=torch.bool)
    silent[spoken] = False
    silent[[PAD_ID, UNK_ID, BOS_ID]] = True
    with torch.no_grad():
        network.output_bias[silent] = NEVER


def manifest_of(
    config: TranslatorRun,
    network: Translator,
    facts: Facts,
    *,
    precisions: Mapping[str, Mapping[str, float]],
    test: Mapping[str, float],
) -> dict[str, Any]:
    pairs = [direction.split("-") for direction in config.directions]
    fields = precision_fields(precisions, reason=REASON, precisions=tuple(precisions))
    for name, precision in fields["precisions"].items():
        precision["encoder"] = ENCODERS[name]
    return {
        "name": config.name,
        "version": config.version,
        "task": "translate",
        "default": config.is_default,
        "languages": sorted({language for pair in pairs for language in pair}),
        "pairs": [{"source": source, "target": target, "tag": tag_of(target)} for source, target in pairs],
        "description": config.description,
        **facts.terms.fields,
        "features": {},
        "labels": {},
        "limits": {
            "max_tokens": MAX_TOKENS,
            "max_target_tokens": MAX_TARGET_TOKENS,
            "split_tokens": SPLIT_TOKENS,
        },
        "inputs": [_described(value) for value in step_inputs(network, PRODUCTS[DEFAULT], facts.shortlist)],
        "outputs": [_described(value) for value in step_outputs(network)],
        **fields,
        "metrics": dict(test),
    }


def examples_of(translator: Predictor) -> list[TranslateExample]:
    """Our sentences in every pair with their translations, where any processor and release of onnxruntime surely agree.

    The best hypothesis must be well before the next one, and nothing may be copied, because two hypotheses could then
    become one text. If there is no such sentence, the surest one is taken.
    """
    found: list[tuple[float, TranslateExample]] = []
    for pair in translator.pairs:
        sentences = EXAMPLE_SENTENCES.get(pair.source, EXAMPLE_SENTENCES["en"])
        texts = [text for text in sentences if not scan(text)]
        answers = translator.translate(texts, TranslateOptions(pair=pair, num_hypotheses=BEAM_SIZE))
        for text, translations in zip(texts, answers, strict=True):
            best, *others = translations
            example = TranslateExample(
                source=pair.source, text=text, target=pair.target, translation=best.text, score=round(best.score, 5)
            )
            found.append((best.score - others[0].score if others else 0.0, example))
    sure = [example for margin, example in found if margin >= MARGIN]
    return sure or [max(found, key=lambda each: each[0])[1]]


def _described(value: onnx.ValueInfoProto) -> dict[str, Any]:
    """An input or output of a graph in the form of a manifest."""
    kind = value.type.tensor_type
    return {
        "name": value.name,
        "type": onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
        "shape": [axis.dim_param or axis.dim_value for axis in kind.shape.dim],
    }


def main() -> None:
    arguments = publishing_parser(__doc__).parse_args()
    config = load_config(TranslatorRun, arguments.config)
    run = arguments.run_dir or Path("runs") / config.name
    figures = publish(
        load_translator(run, config),
        Subwords.load(run / SUBWORDS),
        config=config,
        folder=arguments.bundle or Path("models") / config.name,
        data_dir=arguments.data_dir,
        report=run / "report",
    )
    print_figures(figures)


if __name__ == "__main__":
    main()

"""Measure a translator's bundle on dev or test sets, in this process with the service's code or by a running service.

    python -m training.translator.evaluate models/en-xx --split dev
    python -m training.translator.evaluate models/en-xx --split dev --url http://127.0.0.1:8000

Both print the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sacrebleu import BLEU
from sacremoses import MosesPunctNormalizer, MosesTokenizer

from service.bundle import Bundle, Manifest, load_bundle
from service.errors import InputTooLongError
from service.predictors.translation import LanguagePair, TranslateOptions, Translation
from service.predictors.translator import Translator
from service.runtime.session import OnnxSession
from service.text.paragraphs import Passage, cut
from training.command_line import evaluation_parser
from training.corpora.licences import TRANSLATOR_CORPORA
from training.corpora.parallel import PairSet, read_sets
from training.translator.answers import Answer, RemoteTranslator, Translate, all_complete, lowest
from training.translator.predict import Quality, judge

TEXTS_AT_ONCE = 512  # in this process; their sentences are searched together

Engine = Callable[[Sequence[str], LanguagePair], list[str]]  # texts to translations


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranslatedSet:
    """A test set with the translations of an engine and their quality."""

    source: PairSet
    translations: Sequence[str]
    quality: Quality
    bleu_literature: float

    def measures(self) -> dict[str, float]:
        """The figures by measure, rounded for reports."""
        own = {
            "bleu": self.quality.bleu,
            "chrf": self.quality.chrf,
            "bleu_all_references": self.quality.bleu_all,
            "bleu_literature": self.bleu_literature,
        }
        return {name: round(value, 2) for name, value in own.items()}

    def figures(self) -> dict[str, float]:
        """The figures as a manifest has them, with the set's name before each."""
        name = self.source.name.replace(" ", "_")
        return {f"{name}_{measure}": value for measure, value in self.measures().items()}


def open_translator(bundle: Bundle, precision: str | None = None) -> Translator:
    """Open a bundle as the service does."""
    encoder, step = bundle.encoder(precision), bundle.graph(precision)
    return Translator(bundle, encoder=OnnxSession(encoder), step=OnnxSession(step))


def engine_here(translator: Translator, *, beam_size: int, length_penalty: float) -> Engine:
    """Return an engine that translates in this process."""
    return _engine(answers_here(translator, beam_size=beam_size, length_penalty=length_penalty))


def engine_there(url: str, *, model: str, beam_size: int, length_penalty: float) -> Engine:
    """Return an engine that asks a running service."""
    options = {"beam_size": beam_size, "length_penalty": length_penalty}
    return _engine(RemoteTranslator(url=url, model=model, options=options))


def answers_here(translator: Translator, **fields: Any) -> Translate:
    """Return a function that translates in this process, by the code of the service but without its queues.

    Texts are cut into sentences and joined again as the service does it. ``fields`` are those of TranslateOptions. A
    text with a sentence over the limit of the model has an answer with a reason.
    """

    def answers(texts: Sequence[str], options: TranslateOptions) -> list[Answer]:
        passages = [cut(text) for text in texts]
        try:
            found = iter(translator.translate([each for passage in passages for each in passage.sentences], options))
        except InputTooLongError as error:
            if len(texts) == 1:
                return [Answer(translation="", reason=str(error))]
            return [answer for text in texts for answer in answers([text], options)]
        return [_joined(passage, [next(found) for _ in passage.spans]) for passage in passages]

    def translate(texts: Sequence[str], direction: str) -> list[Answer]:
        options = TranslateOptions(pair=LanguagePair(*direction.split("-")), **fields)
        blocks = (texts[start : start + TEXTS_AT_ONCE] for start in range(0, len(texts), TEXTS_AT_ONCE))
        return [answer for block in blocks for answer in answers(block, options)]

    return translate


def _joined(passage: Passage, found: Sequence[Sequence[Translation]]) -> Answer:
    """Return a text's answer from the hypotheses of each of its sentences."""
    best = [hypotheses[0] for hypotheses in found]
    return Answer(
        translation=passage.join([each.text for each in best]),
        confidence=lowest([getattr(each, "confidence", None) for each in best]),
        complete=all_complete([getattr(each, "complete", None) for each in best]),
        hypotheses=tuple(passage.join([each.text]) for each in found[0]) if len(found) == 1 else (),
    )


def _engine(translate: Translate) -> Engine:
    return lambda texts, pair: [answer.translation for answer in translate(texts, str(pair))]


def measure(engine: Engine, sets: Sequence[PairSet]) -> list[TranslatedSet]:
    """The translations of sets, each in its direction, and their quality."""
    measured = []
    for each in sets:
        pair = LanguagePair(*each.direction.split("-"))
        translations = engine([one.source for one in each.pairs], pair)
        references = [one.target for one in each.pairs]
        measured.append(
            TranslatedSet(
                source=each,
                translations=translations,
                quality=judge(translations, each.pairs),
                bleu_literature=literature_bleu(translations, references, language=pair.target),
            )
        )
    return measured


def figures_of(measured: Sequence[TranslatedSet]) -> dict[str, float]:
    """The figures of all sets as a manifest has them."""
    return {name: value for part in measured for name, value in part.figures().items()}


def literature_bleu(translations: Sequence[str], references: Sequence[str], *, language: str) -> float:
    """The BLEU of papers on Multi30k: Moses tokens in lower case, punctuation normalised, one reference."""
    normalizer, tokenizer = MosesPunctNormalizer(lang=language), MosesTokenizer(lang=language)

    def tokens(text: str) -> str:
        found: str = tokenizer.tokenize(normalizer.normalize(text.lower()), escape=False, return_str=True)
        return found

    metric = BLEU(tokenize="none", force=True)  # without force it warns that these are tokens
    return float(metric.corpus_score(list(map(tokens, translations)), [list(map(tokens, references))]).score)


def sets_of(manifest: Manifest, split: str, data_dir: Path | None) -> list[PairSet]:
    """The sets of the corpora that the model learned from, in its pairs."""
    names = {corpus.name for corpus in manifest.corpora}
    corpora = tuple(name for name, terms in TRANSLATOR_CORPORA.items() if terms["name"] in names)
    directions = tuple(f"{pair.source}-{pair.target}" for pair in manifest.pairs)
    return read_sets(corpora, directions, split, data_dir)


def main() -> None:
    parser = evaluation_parser(__doc__)
    parser.add_argument("--url", help="of a service that has the bundle; else it is measured here")
    parser.add_argument("--beam-size", type=int, default=4)
    parser.add_argument("--length-penalty", type=float, default=1.0)
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.bundle)
    search = {"beam_size": arguments.beam_size, "length_penalty": arguments.length_penalty}
    engine = (
        engine_there(arguments.url, model=bundle.manifest.name, **search)
        if arguments.url
        else engine_here(open_translator(bundle, arguments.precision), **search)
    )
    print_measured(measure(engine, sets_of(bundle.manifest, arguments.split, arguments.data_dir)))


def print_measured(measured: Sequence[TranslatedSet]) -> None:
    """Print the figures of all sets, and the signature of BLEU."""
    print_figures(figures_of(measured))
    print(measured[0].quality.signature)


def print_figures(figures: Mapping[str, float]) -> None:
    """Print a figure a line."""
    for name, value in figures.items():
        print(f"{name:56} {value:6.2f}")


if __name__ == "__main__":
    main()

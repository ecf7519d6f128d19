"""Measure a translator's bundle on dev or test sets: with the service's own code here, or by a running service.

    python -m training.evaluate_translator models/en-xx --split dev
    python -m training.evaluate_translator models/en-xx --split dev --url http://127.0.0.1:8000

Both print the same figures.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sacrebleu import BLEU
from sacremoses import MosesPunctNormalizer, MosesTokenizer

from service.bundle import Bundle, Manifest, load_bundle
from service.predictors.translation import Pair, Wish
from service.predictors.translator import Translator
from service.runtime.session import OnnxSession
from service.text.paragraphs import cut
from training.command_line import evaluation_parser
from training.corpora.parallel import PairSet, read_sets
from training.corpora.terms import TRANSLATOR_CORPORA
from training.translating import Quality, judge

TEXTS_PER_REQUEST = 32
SECONDS_PER_REQUEST = 300
SOURCE_LANGUAGE = "en"

Engine = Callable[[Sequence[str], Pair], list[str]]  # texts to translations


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TranslatedSet:
    """What an engine said of a test set, and how good it was."""

    source: PairSet
    translations: Sequence[str]
    quality: Quality
    bleu_literature: float

    def measures(self) -> dict[str, float]:
        """Rounded as they are told."""
        own = {
            "bleu": self.quality.bleu,
            "chrf": self.quality.chrf,
            "bleu_all_references": self.quality.bleu_all,
            "bleu_literature": self.bleu_literature,
        }
        return {name: round(value, 2) for name, value in own.items()}

    def figures(self) -> dict[str, float]:
        """As a manifest carries them, the set's name before each."""
        name = self.source.name.replace(" ", "_")
        return {f"{name}_{measure}": value for measure, value in self.measures().items()}


def open_translator(bundle: Bundle, precision: str | None = None) -> Translator:
    """As the service will."""
    encoder, step = bundle.encoder(precision), bundle.graph(precision)
    return Translator(bundle, encoder=OnnxSession(encoder), step=OnnxSession(step))


def engine_here(translator: Translator, *, beam_size: int, length_penalty: float) -> Engine:
    """Texts are cut into sentences and joined again, as the service does it."""

    def translate(texts: Sequence[str], pair: Pair) -> list[str]:
        passages = [cut(text) for text in texts]
        sentences = [sentence for passage in passages for sentence in passage.sentences]
        wish = Wish(pair=pair, beam_size=beam_size, length_penalty=length_penalty)
        best = iter([answers[0].text for answers in translator.translate(sentences, wish)])
        return [passage.join([next(best) for _ in passage.spans]) for passage in passages]

    return translate


def engine_there(url: str, *, model: str, beam_size: int, length_penalty: float) -> Engine:
    """A running service."""

    def translate(texts: Sequence[str], pair: Pair) -> list[str]:
        wish = {"source": pair.source, "target": pair.target, "beam_size": beam_size, "length_penalty": length_penalty}
        blocks = [texts[start : start + TEXTS_PER_REQUEST] for start in range(0, len(texts), TEXTS_PER_REQUEST)]
        answers = [_post(f"{url.rstrip('/')}/translate", {"text": block, "model": model, **wish}) for block in blocks]
        return [result["translation"] for answer in answers for result in answer["results"]]

    return translate


def measure(engine: Engine, sets: Sequence[PairSet]) -> list[TranslatedSet]:
    measured = []
    for each in sets:
        pair = Pair(SOURCE_LANGUAGE, each.pairs[0].target_language)
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


def literature_bleu(translations: Sequence[str], references: Sequence[str], *, language: str) -> float:
    """What papers on Multi30k print: BLEU of Moses tokens in lower case, punctuation normalised, one reference."""
    normalizer, tokenizer = MosesPunctNormalizer(lang=language), MosesTokenizer(lang=language)

    def tokens(text: str) -> str:
        found: str = tokenizer.tokenize(normalizer.normalize(text.lower()), escape=False, return_str=True)
        return found

    metric = BLEU(tokenize="none", force=True)  # it would warn that these are tokens
    return float(metric.corpus_score(list(map(tokens, translations)), [list(map(tokens, references))]).score)


def sets_of(manifest: Manifest, split: str, data_dir: Path | None) -> list[PairSet]:
    """Those of the corpora that the model learned from, in its pairs."""
    names = {corpus.name for corpus in manifest.corpora}
    corpora = tuple(name for name, terms in TRANSLATOR_CORPORA.items() if terms["name"] in names)
    directions = tuple(f"{pair.source}-{pair.target}" for pair in manifest.pairs)
    return read_sets(corpora, directions, split, data_dir)


def _post(url: str, content: dict[str, object]) -> dict[str, list[dict[str, str]]]:
    body = json.dumps(content).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS_PER_REQUEST) as answer:
        found: dict[str, list[dict[str, str]]] = json.load(answer)
        return found


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
    print_figures(measure(engine, sets_of(bundle.manifest, arguments.split, arguments.data_dir)))


def print_figures(measured: Sequence[TranslatedSet]) -> None:
    """One a line, and how BLEU was computed."""
    for part in measured:
        for name, value in part.figures().items():
            print(f"{name:56} {value:6.2f}")
    print(measured[0].quality.signature)


if __name__ == "__main__":
    main()

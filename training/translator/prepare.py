"""Read the sources of a translator, mask protected items, learn subwords, and write all pairs to one file.

    python -m training.translator.prepare training/configs/en-xx-2.toml --data-dir ~/corpora

Every run on the same pairs reads the file again: ``runs/<pairs>/pairs.tsv`` and ``subwords.model`` beside it.
"""

from __future__ import annotations

import lzma
import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from service.bundle import SUBWORDS
from service.text.subwords import Subwords
from training.command_line import run_parser
from training.config import load_config
from training.corpora.open_parallel import read_source, sources_of, without
from training.corpora.parallel import ENGLISH, HEADWORDS, Pair, PairSet, exchanged, read_sets
from training.corpora.parallel_files import FLORES, NEWSTEST, domain_of, is_business_slice, read_evaluation
from training.corpora.text_key import key_of
from training.translator.batches import MeasuredPair, measure
from training.translator.config import TranslatorRun
from training.translator.lexicon import lexicon_pairs
from training.translator.mixture import Mixture, MixturePart
from training.translator.rarity import draw_rates
from training.translator.subwords import SubwordPairEncoder, learn_subwords, with_tags
from training.translator.variation import mask_pair

PAIRS = "pairs.tsv"
DEV_SAMPLE = 120  # sentences of a set that score an epoch of a run on broad sources
SAMPLED_TEXTS = 600_000  # of both sides, for subwords; more of them change little and take minutes
RARE = 5e-7  # a character with a smaller share of all is copied, not spelled
MOST_WORDS, MOST_TOKENS, LENGTH_RATIO = 90, 250, 2.5  # of a usable pair


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPair:
    """A pair with masked items, its source, and the lengths of its sides in subwords."""

    corpus: str
    measured: MeasuredPair

    @property
    def line(self) -> str:
        """The line of the file: ``corpus TAB language TAB source tokens TAB target tokens TAB source TAB target``."""
        measured, pair = self.measured, self.measured.pair
        lengths = str(measured.source_tokens), str(measured.target_tokens)
        return "\t".join((self.corpus, pair.target_language, *lengths, pair.source, pair.target)) + "\n"

    @classmethod
    def of(cls, line: str) -> PreparedPair:
        """The pair of a line that :attr:`line` gave."""
        corpus, language, source_tokens, target_tokens, source, target = line.rstrip("\n").split("\t")
        pair = Pair(source=source, references=(target,), target_language=language)
        return cls(
            corpus=corpus,
            measured=MeasuredPair(pair=pair, source_tokens=int(source_tokens), target_tokens=int(target_tokens)),
        )


def main() -> None:
    arguments = run_parser(__doc__).parse_args()
    config = load_config(TranslatorRun, arguments.config)
    prepare(config, arguments.data_dir, Path("runs") / config.pairs)


def prepare(config: TranslatorRun, data_dir: Path | None, folder: Path) -> None:
    """Write the pairs and the subwords of a configuration into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(config.fit.seed)
    held_out = held_out_sentences(config, data_dir)
    read = [each for direction in config.directions for each in read_direction(config, direction, held_out, data_dir)]
    alphabet = common_characters([pair for _, pairs in read for pair in pairs])
    corpora = []
    for corpus, pairs in read:
        masked = [each for pair in pairs if (each := mask_pair(pair, alphabet, rng)) is not None]
        print(f"{corpus:24} {pairs[0].target_language} {len(pairs):8,} pairs, {len(masked):8,} kept")
        corpora.append((corpus, masked))
    if not (folder / SUBWORDS).exists():
        pairs = [pair for _, pairs in corpora for pair in pairs]
        (folder / SUBWORDS).write_bytes(first_subwords(config) or learn_from(pairs, config))
    write(folder, corpora)


def read_direction(
    config: TranslatorRun, direction: str, held_out: Collection[str], data_dir: Path | None
) -> list[tuple[str, list[Pair]]]:
    """The usable pairs of each corpus and of each source of the tiers in a direction, without sentences that are held
    out, and the words of these pairs; every reference makes a pair of its own."""
    read = [
        (name, [replace(pair, references=(text,)) for pair in each.pairs for text in pair.references])
        for name in config.corpora
        for each in read_sets((name,), (direction,), "train", data_dir)
    ]
    read += [(source.name, read_source(source, direction, data_dir)) for source in sources_of(config.tiers)]
    kept = [(name, [pair for pair in without(pairs, held_out) if is_usable(pair)]) for name, pairs in read]
    if HEADWORDS in config.corpora:
        words = words_of_direction(direction, [pair for _, pairs in kept for pair in pairs], data_dir)
        kept.append((HEADWORDS, words))
    return [(name, pairs) for name, pairs in kept if pairs]


def words_of_direction(direction: str, pairs: Sequence[Pair], data_dir: Path | None) -> list[Pair]:
    """The words of a direction's pairs, and lists of them."""
    source, _, target = direction.partition("-")
    rng = np.random.default_rng(1)
    if target == ENGLISH:
        return exchanged(lexicon_pairs(exchanged(pairs, source), source, data_dir, rng))
    return lexicon_pairs(pairs, target, data_dir, rng)


def languages_of(config: TranslatorRun) -> list[str]:
    """The target languages of a configuration."""
    return list(dict.fromkeys(direction.partition("-")[2] for direction in config.directions))


def dev_sets(config: TranslatorRun, data_dir: Path | None) -> list[PairSet]:
    """The sets that score an epoch.

    They are the dev sets of the corpora or, in runs on broad sources, a sample of news, of all held-out slices of these
    sources, and of everyday sentences, in each direction.
    """
    if not config.tiers:
        return read_sets(config.corpora, config.directions, "dev", data_dir)
    rng = random.Random(1)  # not the run's seed, so that figures of runs can be compared
    sets = [
        each
        for direction in config.directions
        for each in domain_sets(direction, split="dev", data_dir=data_dir)
        if domain_of(each) != FLORES  # FLORES is not used to choose an epoch
    ]
    return [replace(each, pairs=tuple(rng.sample(each.pairs, min(DEV_SAMPLE, len(each.pairs))))) for each in sets]


def domain_sets(direction: str, *, split: str, data_dir: Path | None) -> list[PairSet]:
    """Tatoeba's split, newstest2013, FLORES dev, and the held-out slices of all sources as one set."""
    sets = read_evaluation(direction, data_dir)
    slices = [pair for each in sets if is_business_slice(domain_of(each)) for pair in each.pairs]
    return [
        *read_sets(("tatoeba",), (direction,), split, data_dir),
        *(each for each in sets if domain_of(each) in (FLORES, NEWSTEST)),
        PairSet(name=f"business {direction}", pairs=tuple(slices)),
    ]


def held_out_sentences(config: TranslatorRun, data_dir: Path | None) -> set[str]:
    """The keys of both sides of all dev and test sets."""
    sets = [each for split in ("dev", "test") for each in read_sets(config.corpora, config.directions, split, data_dir)]
    if config.tiers:
        sets += [each for direction in config.directions for each in read_evaluation(direction, data_dir)]
    texts = {text for each in sets for pair in each.pairs for text in (pair.source, *pair.references)}
    return {found for text in texts if len(text.split()) >= 4 and (found := key_of(text))}


def is_usable(pair: Pair) -> bool:
    """Tell whether neither side is empty, very long, or much longer than the other."""
    source, target = len(pair.source.split()), len(pair.target.split())
    if not 0 < source <= MOST_WORDS or not 0 < target <= MOST_WORDS:
        return False
    return max(len(pair.source), len(pair.target)) <= LENGTH_RATIO * min(len(pair.source), len(pair.target)) + 20


def common_characters(pairs: Sequence[Pair]) -> frozenset[str]:
    """The characters that occur often enough to be learned."""
    counts: Counter[str] = Counter()
    for pair in pairs:
        counts.update(pair.source)
        counts.update(pair.target)
    return frozenset(each for each, count in counts.items() if count >= RARE * counts.total())


def first_subwords(config: TranslatorRun) -> bytes | None:
    """The subwords of the run that a configuration starts from, with the tags of its languages; None without one."""
    path = Path(config.starts_from) / SUBWORDS
    return with_tags(path.read_bytes(), languages_of(config)) if config.starts_from and path.exists() else None


def learn_from(pairs: Sequence[Pair], config: TranslatorRun) -> bytes:
    """A subword model of a sample of all different texts."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.source, pair.target)))
    random.Random(config.fit.seed).shuffle(texts)
    return learn_subwords(texts[:SAMPLED_TEXTS], size=config.vocabulary_size, languages=languages_of(config))


def folder_of_pairs(config: TranslatorRun, run: Path) -> Path:
    """The folder of a run's prepared pairs: the configured one, else the run's own."""
    return Path("runs") / config.pairs if config.pairs else run


def write(folder: Path, corpora: Sequence[tuple[str, Sequence[Pair]]]) -> None:
    """Write all pairs, measured as the subwords of the folder cut them best."""
    encoder = SubwordPairEncoder(Subwords.load(folder / SUBWORDS))
    with (folder / PAIRS).open("w", encoding="utf-8") as file:
        for corpus, pairs in corpora:
            for measured in measure(pairs, encoder, max_tokens=MOST_TOKENS):
                file.write(PreparedPair(corpus=corpus, measured=measured).line)


def read_prepared(folder: Path, *, directions: Sequence[str], max_tokens: int) -> list[PreparedPair]:
    """The pairs in these directions with no side of more than ``max_tokens`` subwords; the file may be compressed by
    xz."""
    languages = {direction.partition("-")[2] for direction in directions}
    plain = folder / PAIRS
    with plain.open(encoding="utf-8") if plain.exists() else lzma.open(folder / f"{PAIRS}.xz", "rt") as lines:
        read = map(PreparedPair.of, lines)
        return [
            each
            for each in read
            if each.measured.pair.target_language in languages
            and max(each.measured.source_tokens, each.measured.target_tokens) <= max_tokens
        ]


def parts_of(pairs: Sequence[PreparedPair], *, rare_words: float = 1.0) -> list[MixturePart]:
    """The pairs by corpus and language; ``rare_words`` as in :class:`training.translator.mixture.MixtureConfig`."""
    rates = draw_rates([(each.corpus, each.measured.pair.source) for each in pairs], highest=rare_words)
    places: dict[tuple[str, str], list[int]] = {}
    for place, each in enumerate(pairs):
        places.setdefault((each.corpus, each.measured.pair.target_language), []).append(place)
    return [
        MixturePart(
            source=corpus,
            places=np.array(found, np.int64),
            num_tokens=sum(pairs[place].measured.target_tokens for place in found),
            rates=rates[found],
        )
        for (corpus, _), found in places.items()
    ]


def mixture_of(config: TranslatorRun, pairs: Sequence[PreparedPair], *, epoch_tokens: int) -> Mixture:
    """The mixture of a configuration; its weights may name sources that have no pairs in its languages."""
    known = [source.name for source in sources_of(config.tiers)]
    return Mixture(
        parts_of(pairs, rare_words=config.mixture.rare_words), config.mixture, epoch_tokens=epoch_tokens, known=known
    )


if __name__ == "__main__":
    main()

"""Lexical shortlists: the target subwords among which a sentence's translation is sought (Jean et al. 2015).

For each subword of a source its most probable translations by IBM model 1 (Brown et al. 1993), learned from the
training pairs, and the subword itself, so that names can be copied; for each language its most frequent subwords.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from service.text.pipeline import Ids
from service.text.subwords import EOS_ID, PAD_ID, Subwords
from training.corpora.parallel import Pair
from training.translator.mixture import Mixture
from training.translator.prepare import PreparedPair
from training.translator.subwords import tag_of

NUM_EACH = 24  # translations of a source's subword
NUM_FREQUENT = 256  # subwords of a language that are on every list
NUM_ITERATIONS = 4  # of expectation maximisation
SAMPLED_TOKENS = 6_000_000  # target tokens of the pairs to learn from
MOST_TOKENS = 40  # of a side of them: of longer ones nearly all links are wrong
FEWEST_TIMES = 4  # as large as its lists a vocabulary has to be for lists to be worth their cost
ALWAYS, NEVER = 2.0, -1e6  # priorities

Indices = npt.NDArray[np.signedinteger]
Rows = Sequence[tuple[Sequence[int], Sequence[int]]]  # source and target ids of pairs, without special ones


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shortlist:
    """The tables from which the list of a source is made: its ``size`` subwords of highest priority.

    A subword's priority is that in its language, plus 1 for each time that the source has it, plus ``1 / rank`` for
    each time that it is a translation of a subword of the source.
    """

    size: int
    languages: Ids  # (vocabulary,), the number of the language that a tag asks for; 0 for what is no tag
    rows: Ids  # (language, vocabulary), row of a source subword's translations; row 0 has none
    translations: Ids  # (row, NUM_EACH), most probable first, then padding
    priorities: npt.NDArray[np.float32]  # (language, vocabulary), below 1 / NUM_EACH but for what is always on a list

    def list_of(self, source: Sequence[int]) -> set[int]:
        """Return the list of a source: tag, subwords, end. The encoder's graph does the same."""
        language = self.languages[source[0]]
        priorities = self.priorities[language].copy()
        weights = 1 / np.arange(1, NUM_EACH + 1, dtype=np.float32)
        for each in source:
            priorities[each] += 1
            np.add.at(priorities, self.translations[self.rows[language, each]], weights)
        return set(np.argsort(-priorities, kind="stable")[: self.size].tolist())


def shortlist_of_pairs(
    pairs: Sequence[PreparedPair], subwords: Subwords, mixture: Mixture, *, seed: int, size: int
) -> Shortlist | None:
    """Learn the shortlist of a translator from an epoch of its training pairs; None if its vocabulary is small."""
    if len(subwords) < FEWEST_TIMES * size:
        return None
    draw = mixture.draw(np.random.default_rng(seed))
    by_language: dict[str, list[Pair]] = {}
    for place in np.unique(draw):
        pair = pairs[place].measured.pair
        by_language.setdefault(pair.target_language, []).append(pair)
    rows = {subwords.tag(tag_of(name)): rows_of(found, subwords) for name, found in by_language.items()}
    return learn_shortlist(rows, len(subwords), size=size)


def rows_of(pairs: Sequence[Pair], subwords: Subwords) -> Rows:
    """The ids of both sides of the pairs that are not too long to learn from."""
    rows = ((subwords.encode(pair.source), subwords.encode(pair.target)) for pair in pairs)
    return [(source, target) for source, target in rows if 0 < len(source) <= MOST_TOKENS >= len(target) > 0]


def learn_shortlist(
    rows_by_tag: Mapping[int, Rows], vocabulary_size: int, *, size: int, num_frequent: int = NUM_FREQUENT
) -> Shortlist:
    """Learn the tables of all languages from their pairs, by the ids of their tags."""
    languages = np.zeros(vocabulary_size, np.int32)
    rows = np.zeros((len(rows_by_tag), vocabulary_size), np.int32)
    translations = [np.full((1, NUM_EACH), PAD_ID, np.int32)]
    priorities = np.zeros((len(rows_by_tag), vocabulary_size), np.float32)
    for number, (tag, pairs) in enumerate(rows_by_tag.items()):
        languages[tag] = number
        counts = np.bincount(np.concatenate([target for _, target in pairs]), minlength=vocabulary_size)
        order = np.argsort(-counts, kind="stable")
        priorities[number] = counts / (counts.max() * (NUM_EACH + 1))
        priorities[number, [*order[:num_frequent], EOS_ID]] = ALWAYS
        priorities[number, PAD_ID] = NEVER
        others = translations_of(pairs, vocabulary_size, without=priorities[number] == ALWAYS)
        rows[number, list(others)] = np.arange(len(others)) + sum(map(len, translations))
        translations.append(np.array(list(others.values()), np.int32).reshape(-1, NUM_EACH))
    return Shortlist(
        size=min(size, vocabulary_size - 1),
        languages=languages,
        rows=rows,
        translations=np.concatenate(translations),
        priorities=priorities,
    )


def translations_of(rows: Rows, vocabulary_size: int, *, without: npt.NDArray[np.bool_]) -> dict[int, list[int]]:
    """The NUM_EACH most probable targets of each source id, by model 1, padded; ``without`` (vocabulary,) are left
    out."""
    keys, starts, sizes = links_of(rows, vocabulary_size)
    pairs, pair = np.unique(keys, return_inverse=True)
    sources = pairs // vocabulary_size
    probabilities = np.full(len(pairs), 1 / vocabulary_size, np.float32)
    for _ in range(NUM_ITERATIONS):
        shares = probabilities[pair]
        shares /= np.repeat(np.add.reduceat(shares, starts), sizes)
        expected = np.bincount(pair, shares, minlength=len(pairs))
        probabilities = (expected / np.bincount(sources, expected)[sources]).astype(np.float32)
    kept = ~without[pairs % vocabulary_size]
    order = np.lexsort((-probabilities[kept], sources[kept]))
    pairs = pairs[kept][order]
    found: dict[int, list[int]] = {}
    names, firsts = np.unique(pairs // vocabulary_size, return_index=True)
    for source, targets in zip(names.tolist(), np.split(pairs % vocabulary_size, firsts[1:]), strict=True):
        best = targets[:NUM_EACH].tolist()
        found[source] = best + [PAD_ID] * (NUM_EACH - len(best))
    return found


def links_of(rows: Rows, vocabulary_size: int) -> tuple[Indices, Indices, Indices]:
    """All links of target tokens to source tokens, as source times vocabulary plus target; those of one target token
    stand together. Returns them with the place of each target token's first link and the number of its links."""
    kind = np.int32 if vocabulary_size**2 < 2**31 else np.int64  # half the memory, and sorted in half the time
    keys = [
        (np.array(source, kind) * kind(vocabulary_size) + np.array(target, kind)[:, None]).ravel()
        for source, target in rows
    ]
    sizes = np.repeat([len(source) for source, _ in rows], [len(target) for _, target in rows])
    return np.concatenate(keys), np.cumsum(sizes) - sizes, sizes

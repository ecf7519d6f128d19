"""More texts for a teacher to label: those of a corpus with words replaced by others of the same part of speech.

After Tang et al. (2019), who distil a BERT into a BiLSTM so: the texts need not be sensible, for the student learns
what the teacher says of their words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from service.text.tokenizer import Sentence, split_sentences

TagSentences = Callable[[Sequence[Sentence]], Sequence[Sequence[str]]]  # Penn Treebank's tags of each token
TaggedWord = tuple[int, int, str, str]  # start, end, word, tag
TAGS = frozenset("JJ JJR JJS RB NN NNS VB VBD VBG VBN VBP VBZ".split())  # whose words are replaced
REPLACED_RATE = 0.3  # of the words with such a tag
RARITY = 0.5  # a word is drawn by its count to this power


def replaced_texts(
    texts: Sequence[str], others: Sequence[str], tag: TagSentences, count: int, rng: np.random.Generator
) -> Iterator[str]:
    """Yield ``count`` texts, each made of one of ``texts`` with words of both ``texts`` and ``others``."""
    tagged = _tagged([*texts, *others], tag)
    pools = _pools(tagged)
    for place in rng.integers(len(texts), size=count):
        text, pieces, end = texts[place], [], 0
        for start, stop, word, name in tagged[place]:
            if rng.random() < REPLACED_RATE:
                words, upto = pools[name]
                new = words[int(np.searchsorted(upto, rng.random()))]
                pieces += [text[end:start], new.capitalize() if word[0].isupper() else new]
                end = stop
        yield "".join(pieces) + text[end:]


def _pools(tagged: Sequence[Sequence[TaggedWord]]) -> dict[str, tuple[list[str], npt.NDArray[np.float64]]]:
    """The words of each tag and, as running sums, the shares with which they are drawn."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for words in tagged:
        for _, _, word, name in words:
            counts[name][word.lower()] += 1
    weights = {name: np.array(list(count.values()), float) ** RARITY for name, count in counts.items()}
    return {name: (list(counts[name]), each.cumsum() / each.sum()) for name, each in weights.items()}


def _tagged(texts: Sequence[str], tag: TagSentences) -> list[list[TaggedWord]]:
    """The words that can be replaced, by text."""
    split = [split_sentences(text) for text in texts]
    rows = iter(tag([sentence for sentences in split for sentence in sentences]))
    return [
        [
            (start, end, word, name)
            for sentence in sentences
            for start, end, word, name in zip(sentence.starts, sentence.ends, sentence.words, next(rows), strict=True)
            if name in TAGS and word.isalpha()
        ]
        for sentences in split
    ]

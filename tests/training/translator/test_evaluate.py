from __future__ import annotations

from collections.abc import Sequence

from service.predictors.translation import LanguagePair
from training.corpora.parallel import Pair, PairSet
from training.translator.bundle_report import make_report
from training.translator.evaluate import measure


def into_english(direction: str, words: Sequence[str]) -> PairSet:
    pairs = [Pair(source=word, references=(word.upper(),), target_language="en") for word in words]
    return PairSet(name=f"made-up {direction}", pairs=tuple(pairs))


def test_each_set_is_translated_from_its_own_language():
    asked = []

    def engine(texts: Sequence[str], pair: LanguagePair) -> list[str]:
        asked.append(str(pair))
        return [text.upper() if pair.source == "es" else "?" for text in texts]

    sets = [into_english("es-en", ["casa grande"] * 20), into_english("de-en", ["ein haus"] * 20)]
    spanish, german = measure(engine, sets)
    assert asked == ["es-en", "de-en"]
    assert (spanish.quality.chrf, german.quality.chrf) == (100.0, 0.0)
    lengths = make_report("made up", {"int8": [spanish, german]}, [], []).lengths
    assert {direction: bins[0].count for direction, bins in lengths.items()} == {"es-en": 20, "de-en": 20}

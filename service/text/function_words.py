"""The likeliest language of a text among a few, by its most frequent function words and letters.

Function words tell the languages of sentences apart (Grefenstette 1995). A single word often has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WORDS: Mapping[str, frozenset[str]] = {
    "de": frozenset(
        """aber als am an auch auf aus bei bin das dass dem den der des die diese doch du ein eine einem einen einer er
        es für haben hat hatte ich ihr im ist ja kann kein keine man mein mich mir mit nach nein nicht nur
        oder schon sein sich sie sind so und uns unser vom von war was wenn werden wie wir wird zu zum zur
        über""".split()
    ),
    "en": frozenset(
        """a about all an and any are as at be been but by can did do does for from had has have he her his how i if in
        is it its me my no not of on or our she so that the their there they this to was we were what when
        which who will with would yes you your""".split()
    ),
    "es": frozenset(
        """a al como con cuando de del desde donde dos el ella en era eres es esta este está están fue gracias ha hay
        he la las le lo los me mi más muy no nos o para pero por porque puede que qué se si sin sobre son
        soy su sus sí también te tengo tiene tu un una y ya yo""".split()
    ),
    "fr": frozenset(
        """a au aux avec c ce ces cette d dans de des du elle elles en est et il ils j je l la le les leur ma mais me
        merci mes mon n ne nous on ou par pas plus pour qu que qui s sa se ses son sont sur suis un une vos
        votre vous y à était été être""".split()
    ),
}
_LETTERS = {"de": "äöüß", "es": "ñ¿¡áíóú", "fr": "çœèêàùîôâ"}
_WORD = re.compile(r"[^\W\d_]+")
_READ = 4096  # characters of a text: more of them would tell no more


def likeliest_language(text: str, among: Sequence[str]) -> tuple[str, float]:
    """The likeliest of the language codes ``among`` and its share of what was found, from 0 to 1. Without a hint it is
    the first of ``among``, with a share of 0. Only the beginning of a long text is read."""
    lower = text[:_READ].lower()
    words = _WORD.findall(lower)
    counts = {code: sum(word in _WORDS.get(code, ()) for word in words) for code in among}
    for code in among:
        counts[code] += sum(lower.count(letter) for letter in _LETTERS.get(code, ""))
    best = max(among, key=lambda code: counts[code])
    return best, counts[best] / max(1, sum(counts.values()))

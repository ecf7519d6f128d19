"""A stretch of text without white space, cut into words as UD English EWT cuts them.

Every character ends up in exactly one word, so offsets follow from lengths. One compiled pattern does the
cutting; each repetition in it is bounded or consumes what it scans, so the work grows with the length and no
faster.
"""

from __future__ import annotations

import re

from service.text.conventions import (
    ABBREVIATIONS,
    CLITICS,
    FILE_EXTENSIONS,
    JOINED,
    NAMES,
    PREFIXES,
    SUFFIXES,
    TOP_LEVEL_DOMAINS,
    UNITS,
)


def _any_of(words: frozenset[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=lambda word: (-len(word), word)))


# A letter, digit or mark that belongs to the letter before it; Python's \w leaves the marks out.
_MARKS = r"\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0e31-\u0e3a\u0e47-\u0e4e"
_WORD = rf"[^\W_][\w{_MARKS}\u00ad\u200c\u200d]*(?<!_)"
_QUOTE = "['’`´‘]"
_LINK_END = r"""[^\s<>"“”.,!?;:'’)\]}*]"""

# Addresses are tried only on stretches that show one of these, so that plain words do not pay for them.
_ADDRESS_HINT = re.compile(r"@|://|www\.|mailto:", re.IGNORECASE)
_ADDRESS = rf"""
    (?i:https?|ftps?|file|mailto|ymsgr|news|irc)://[^\s<>"“”]*{_LINK_END}
  | (?i:www)\.[^\s<>"“”]*{_LINK_END}
  | (?i:mailto:)?\w[\w.+%-]{{0,63}}@[\w-]{{1,64}}(?:\.[\w-]{{1,64}}){{0,8}}
  | (?<!\w)@[^\W\d]\w{{1,63}}
"""

_NAMED_THING = rf"""
    (?i: [a-z0-9][a-z0-9-]{{0,62}}(?:\.[a-z0-9][a-z0-9-]{{0,62}}){{0,6}}\.(?:{TOP_LEVEL_DOMAINS})(?![\w-])
         (?:/[^\s<>"“”]*{_LINK_END})? )
  | (?:alt|comp|misc|news|rec|sci|soc|talk|ba)(?:\.[a-z][a-z0-9-]{{0,30}}){{1,8}}(?!\w)
  | (?i: \w[\w-]{{0,62}}\.(?:{FILE_EXTENSIONS})(?!\w) )
  | (?i: \.(?:{FILE_EXTENSIONS})(?!\w) )
  | (?<!\w)\#[^\W\d_]\w{{1,63}}
  | (?<!\w)\.(?:NET|com|org|gov|edu)(?!\w)
"""
_NUMBER = rf"""
    \d{{4}}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:[.,]\d{{1,9}})?)?(?:Z|[+-]\d\d:?\d\d)?(?!\w)
  | \d{{1,2}}/\d{{1,2}}/\d{{2,4}}(?!\w)
  | (?!1/[2348](?!\d)|2/3(?!\d)|3/4(?!\d)) (?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])(?![\w/])
  | (?:\d{{1,2}}-)?\d{{3}}[-/.]\d{{3}}[-.]\d{{4}}(?!\w) | \d{{3}}-\d{{4}}(?!\w) | (?<!\w)\d-\d{{4}}(?!\w)
  | \d{{5}}-\d{{4}}(?!\w) | \d{{1,2}}-\d{{1,2}}-\d{{2,4}}(?!\w) | [xX]\d?-\d{{3,5}}(?!\w)
  | \d+(?:[.,:]\d+)*(?=(?i:{_any_of(UNITS)})(?!\w))
  | \d+(?:[.,:]\d+)+
  | \d{{1,3}}(?=['’]\d)
  | [+]\d{{1,3}}(?!\d) | (?<![\w.])\.\d+(?!\w)
  | (?<!\d){_QUOTE}\d\ds?(?!\w)
"""
_SHORTENED = rf"""
    (?:Ph|Ed|Psy|Pharm|Eng)\.D(?!\w)\.? | (?:B|M|D)\.(?:Sc|Phil|Ed|Eng|Tech)(?!\w)\.? | LL\.[BMD](?!\w)\.?
  | (?<![^\W_])(?:[A-Za-z]\# | [Cc]\+\+(?:[0-9]{{2}})?)(?![\w+])
  | [^\W\d_](?:\.[^\W\d_])+(?!\w)\.?
  | (?i:w/(?:o|out)|[lip]/[ce]|i/s|b/[tc]|a/c|n/a)(?!\w) | w/(?=\w)
  | [A-Z]{{1,5}}(?:&[A-Z]{{1,2}})+(?!\w)(?:{_QUOTE}s(?!\w))? | [a-z]&[a-z](?!\w)
  | US?\$
  | (?i:{_any_of(ABBREVIATIONS)})\.(?![a-z]|\.[\w.]) | (?:{_any_of(NAMES)}|(?<!\d)[A-Z])\.(?![a-z]|\.[\w.])
  | {_QUOTE}(?i:em|n|til|cause|bout|tis|twas)(?!\w)
"""
_WORDS = rf"""
    (?i:(?:{_any_of(PREFIXES)})-)+{_WORD}(?:{_QUOTE}(?!\d){_WORD})*
  | {_WORD}-(?i:{_any_of(SUFFIXES)})(?!\w)
  | (?<!\w)[^\W\d_]{{3,20}}in['’](?![\w"”])
  | (?<![*\w])[^\W\d_]{{1,20}}(?:\*{{1,20}}[^\W\d_]{{1,20}}|\*{{3,20}}) | (?i:yahoo!)
  | {_WORD}(?:{_QUOTE}(?!\d){_WORD})*
"""
_PICTURE = r"[\u2190-\u2bff\U0001F000-\U0001FAFF]"
# Keycaps, and emoji outside of these ranges, which only their variation selector tells from a sign of text: ‼ ℹ ™
_SELECTED = r"[0-9\#*]\ufe0f?\u20e3 | [\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299]\ufe0f"
_PUNCTUATION = rf"""
    (?:[:;=8][-o^']?[()DPpO/\\|*\]\[3]|[(][-]?[:;=]|[:;=]'-[()])(?![\w(])
  | [:;=]['-]?\((?=\(+(?![\w(])) | </?3 | >_+< | \^_+\^ | -_+- | <[-=]+ | [|<>+=~*_}}{{-]{{8,}} | -+> | =+>
  | \.[?!]+ | \.{{2,}} | …[.…]* | [!?]+ | -+ | –+ | —+ | \*+ | =+ | _+ | ~+ | \#+ | \++ | <+ | >+ | \|+
  | \$+ | ,+ | \'\' | ’’ | ‘’ | ‘‘ | `` | \)+ | \(+
  | [\U0001F1E6-\U0001F1FF]{{2}}
  | {_PICTURE}(?:[\ufe0e\ufe0f\U0001F3FB-\U0001F3FF\u20e3\U000E0020-\U000E007F]|\u200d{_PICTURE})*
  | .
"""

# A look at the first character spares the others the long list.
_PLAIN = rf"""
    {_SELECTED}
  | (?=[\w.\#+'’`´‘@]) (?: {_NAMED_THING} | (?=[\d.+xX'’`´‘]) (?:{_NUMBER}) | {_SHORTENED} | {_WORDS} )
  | {_PUNCTUATION}
"""
_SCANNER = re.compile(_PLAIN, re.VERBOSE | re.DOTALL)
_ADDRESS_SCANNER = re.compile(f"(?=[\\w.%+@-])(?:{_ADDRESS})|{_PLAIN}", re.VERBOSE | re.DOTALL)


def split_words(stretch: str) -> list[str]:
    """Cut a stretch without white space; the words put together are the stretch again."""
    scanner = _ADDRESS_SCANNER if _ADDRESS_HINT.search(stretch) else _SCANNER
    words: list[str] = []
    for word in scanner.findall(stretch):
        cut = contraction_at(word)
        words += (word[:cut], word[cut:]) if cut else (word,)
    return words


_CONTRACTION = re.compile(rf"(?:n{_QUOTE}t|(?<!\d){_QUOTE}(?:{_any_of(CLITICS)}))$", re.IGNORECASE)


def contraction_at(word: str) -> int:
    """Return where a contraction is cut, `do|n't`, `can|not`; 0 where there is none."""
    if word.isalpha():
        return JOINED.get(word.lower(), 0)
    match = _CONTRACTION.search(word)
    return match.start() if match else 0

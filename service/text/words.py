"""A stretch of text without white space, cut into words as UD English EWT cuts them.

Every character ends up in exactly one word, so offsets follow from lengths. One compiled pattern does the
cutting; each repetition in it is bounded or consumes what it scans, so the work grows with the length and no
faster.
"""

from __future__ import annotations

import re

# The lists are drawn from the training section of UD English EWT, and filled up with the common English affixes,
# abbreviations and units that it happens not to hold. Everything is lower case unless said.

# Affixes that keep their hyphen: `anti-trust` is one word, `long-term` is three.
PREFIXES = frozenset(
    """ante anti arch be bi bio co counter cross cyber de e eco ex extra ferro hyper infra inter intra macro
    mega meta micro mid mini mono multi neo non over para peri post pre pro proto pseudo psycho quasi re
    semi socio sub super supra sur tele trans tri u uber ultra un uni""".split()
)
SUFFIXES = frozenset("able aholic esque ette fest fold gate ish itis less rama style wise".split())

# Written as one, cut in two after this many letters. Only those that the corpus cuts more often than not.
JOINED = {
    "cannot": 3, "gonna": 3, "gotta": 3, "wanna": 3, "wana": 3, "outta": 3, "gimme": 3, "lemme": 3,
    "sorta": 4,
    "dont": 2, "didnt": 3, "doesnt": 4, "couldnt": 5, "wouldnt": 5, "shouldnt": 6, "wont": 2, "cant": 2,
    "isnt": 2, "arent": 3, "arnt": 2, "aint": 2, "wasnt": 3, "werent": 4, "havent": 4, "hasnt": 3, "hadnt": 3,
    "im": 1, "ive": 1, "youre": 3, "youve": 3, "youll": 3, "theyre": 4, "theyve": 4, "theyll": 4, "weve": 2,
    "thats": 4, "theres": 5, "heres": 4, "whats": 4, "wheres": 5, "hows": 3, "hes": 2, "shes": 3, "itll": 2,
    "lets": 3, "elses": 4,
}  # fmt: skip

# Cut off a word when an apostrophe stands before them.
CLITICS = frozenset("s m re ve ll d".split())

# `5pm`, `$3M`, `35mm`: the number and the unit are two words; `5th`, `90s`, `4G` are one.
UNITS = frozenset(
    """am pm a.m p.m k m mm mn bn b t tn mil million billion lb lbs oz kg mg km cm ft f hz khz mhz ghz kb
    mb gb tb kw kwh mw mwh watt watts hh hp hr hrs min mins minute minutes sec secs hour hours day days yr yrs
    year years mi mph kph p sqft acres people persons percent""".split()
)

# These take their full stop with them. A sentence may end there, and then the stop is a word of its own.
ABBREVIATIONS = frozenset(
    """dr mr mrs ms prof st ft mt sgt capt col cpt cmdr maj gen lt rev hon gov sen sens rep reps pres supt
    atty jr sr vs etc inc corp co ltd llc bros dept univ assn mfg jan feb apr jun jul aug sept sep oct nov
    dec tue tues thu thur thurs ave blvd rd hwy apt ste bldg vol eds ext tel ph attn approx est incl
    cf eg ie viz nos arrv lv spec conf para mob esp que ass't dist calif conn fla mich minn okla penn tenn
    al lb oz yrs mins et pp fig figs ref refs sq tbsp tsp vols""".split()
)
# With this capital only: `Sat.` is a day, `sat.` the end of a sentence.
NAMES = frozenset("Mon Wed Fri Sat Sun La Va Sec Fig No".split())

# Parts of a pattern: what makes `example.org` and `report.doc` one word.
TOP_LEVEL_DOMAINS = r"com|org|net|edu|gov|mil|info|biz|(?:co|ac|org)\.uk|gc\.ca|uk|us|ca|de|fr|au|tv|io"
FILE_EXTENSIONS = r"docx?|xlsx?|pptx?|pdf|txt|html?|jpe?g|gif|png|zip|exe|mp[34]|avi|url|csv|rtf|php|asp|js|py"


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

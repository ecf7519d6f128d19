"""The items of a text that a translation must keep: numbers, addresses, code, placeholders, names, markup.

One regular expression reads the text from left to right, whole words at a time. Its quantifiers are possessive or
bounded, so that the time grows linearly with the text, whatever the text. Numbers are written as other languages do by
the rules of Unicode CLDR: 1,234.56 and 50%.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

ItemKind = Literal["number", "name", "markup", "foreign"]

# Marks belong to the letter before them; Python's \w leaves them out.
_MARKS = r"\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0e31-\u0e3a\u0e47-\u0e4e"
# Neither a fraction nor a picture, though Python's \w takes some for letters: each is an item by itself, and a run of
# them would be looked at again from each.
_LETTER = rf"[^\W\d_{_MARKS}½¼¾⅓⅔⅛⅜⅝⅞\u2139\u2190-\u2211\u2213-\u2bff\U0001F000-\U0001FAFF]"
_UPPER, _LOWER = "A-ZÀ-ÖØ-Þ", "a-zß-öø-ÿ"
_PICTURE = r"[\u2190-\u2211\u2213-\u2bff\u3030\u303d\u3297\u3299\U0001F000-\U0001FAFF]"
_EMOJI = rf"""
    [\U0001F1E6-\U0001F1FF]{{2}} | [0-9\#*]\ufe0f?\u20e3
  | [\u00a9\u00ae\u203c\u2049\u2122\u2139]\ufe0f?
  | {_PICTURE}(?:[\ufe0e\ufe0f\U0001F3FB-\U0001F3FF\u20e3\U000E0020-\U000E007F]|\u200d{_PICTURE})*+
"""
_CURRENCY = "$€£¥₹₽₩₪฿₫₴₺₦₱₡₲₵₸₼₾¢"
_CODES = (
    "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|RMB|INR|SEK|NOK|DKK|PLN|CZK|HUF|RUB|TRY|BRL|MXN|ARS|CLP|COP|PEN|ZAR|KRW|SGD"
    "|HKD|TWD|THB|IDR|MYR|PHP|VND|ILS|AED|SAR|EGP|NGN|KES|UAH|RON|BGN|BTC|ETH"
)
_UNITS = (
    "km/h|m/s|[kcmdnµμ]?m[²³]?|[kmµμ]g|ha|[kmcd]?[lL]|mi?n|hPa|kPa|MPa|Pa|[mk]?bar|[kMGT]?Hz|[kMGT]?Wh?|[km]?V|mAh|mA"
    "|[kM]?J|kcal|dB|[kKMGTP]i?B(?:/s)?|[kMG]bit(?:/s)?|[KkMG]bps|m?h|[mµμn]s|px|dpi|rpm|ppm|fps"
)
# A space before the unit is asked for where the letter alone may be a suffix: the 1990s, 3t.
_SPACED_UNITS = "g|s|t|K"
_GAP = r"[ \u00a0\u2009\u202f]"
_DIGITS = rf"""
    (?: [0-9]{{1,3}}(?:{_GAP}[0-9]{{3}})++(?![0-9])(?:[.,][0-9]++)?
      | [0-9]++(?:[.,:/'’–-][0-9]++)*+ )
    [½¼¾⅓⅔⅛⅜⅝⅞]?
"""
_NUMBER = rf"""
    [0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]{{1,9}})?)?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})?
  | (?<![\w+])\+[0-9](?:[ ().\u00a0-]{{0,2}}[0-9]){{6,17}}(?![0-9])
  | \([0-9]{{2,5}}\){_GAP}?[0-9]{{2,8}}(?:[ \u00a0-][0-9]{{2,6}}){{1,4}}(?![0-9])
  | \(0[0-9]{{1,4}}\){_GAP}?[0-9]{{2,8}}(?![0-9])
  | 0[0-9]{{1,4}}(?:[ \u00a0][0-9]{{3,6}}){{1,4}}(?![0-9]) | 0[0-9](?:[ \u00a0][0-9]{{2}}){{3,5}}(?![0-9])
  | \#[0-9]++(?!\w)
  | [0-9]++{_LETTER}++[0-9]\w*+
  | [0-9]++(?!AM|PM|ST|ND|RD|TH)[A-Z]{{1,3}}(?![\w.]|'[a-z])
  | (?:(?<![^\s(\[{{<>"'“‘«:=~/])[-+−±])?
    (?: (?:(?:[A-Z]{{1,3}})?[{_CURRENCY}]|\b(?:{_CODES})(?=[ \u00a00-9])){_GAP}?-?{_DIGITS}(?:(?:[kKMBT]|bn)(?!\w))?
      | (?:{_DIGITS}|[½¼¾⅓⅔⅛⅜⅝⅞])
        (?: -(?:alpha|beta|rc|pre|dev)[.0-9]*+
          | [%‰] | {_GAP}[%‰](?![\w(])
          | {_GAP}?[{_CURRENCY}](?![\w{{])
          | {_GAP}?(?:{_CODES}|kr|zł|Kč)(?!\w)
          | {_GAP}?°(?:{_GAP}?[CF](?!\w))?
          | {_GAP}?(?:{_UNITS})(?![\w²³/'’]|\.\w)
          | {_GAP}(?:{_SPACED_UNITS})(?![\w²³/'’]|\.\w) )? )
"""
_LINK_END = r"""[^\s<>"“”«».,!?;:'’)\]}*_~`]"""
_LINK = rf"""[^\s<>"“”«»`]{{0,2000}}{_LINK_END}"""
_DOMAINS = "com|org|net|edu|gov|info|biz|(?:co|ac|org)\\.uk|uk|ca|de|fr|es|io|eu|ch|nl|pl|br|mx|jp|dev|app|ai|tv"
_FILES = (
    "pdf|docx?|xlsx?|pptx?|od[tsp]|txt|rtf|csv|tsv|json|xml|html?|css|jsx?|tsx?|py|ipynb|java|cpp|hpp|rs|go|rb|php|sh"
    "|bat|exe|dll|zip|tar|gz|tgz|7z|rar|png|jpe?g|gif|svg|bmp|webp|mp[34]|avi|mov|mkv|wav|md|ya?ml|toml|ini|cfg|conf"
    "|log|sql|db|iso|apk|onnx"
)
_ADDRESS = rf"""
    (?i:(?:https?|ftps?|file|ssh|wss?)://|www\.(?=\w)){_LINK}
  | (?<![\w.+%-])(?:mailto:)?[\w.+%-]{{1,64}}+@[\w-]{{1,64}}+(?:\.[\w-]{{1,64}}+){{1,8}}
  | (?<![\w.@/\\-])(?:[\w-]{{1,64}}+[./]){{1,12}}(?i:{_FILES})(?![\w-]|[./]\w)
  | (?<![\w.@/-])(?:[A-Za-z0-9-]{{1,63}}+\.){{1,7}}(?:{_DOMAINS})(?![\w-]|\.\w)(?:/(?:{_LINK})?)?
  | (?<![\w/<.~)\]}}\\])(?:~|\.\.?)?/[\w.~+-]{{0,99}}[\w~](?:/[\w.~+-]{{0,99}}[\w~]){{0,30}}+/?
  | (?<!\w)[A-Za-z]:\\(?:[^\s<>"|?*:]{{0,300}}[^\s<>"|?*:.,;!')\]])?
  | (?<![\w@])@[\w-]{{1,64}}+/[\w-]{{1,64}}+ | (?<![\w@])@\w{{1,64}}+(?:\.[a-z0-9_]\w{{0,63}}+){{0,4}}
  | (?<![\w\#&])\#(?![0-9]++(?!\w))\w{{1,64}}
"""
_TEMPLATE = r"""
    \{\{[^{}\n]{0,100}\}\} | \$\{[^{}\n]{1,100}\} | %\{[^{}\n]{1,64}\} | \{[\w.:!\[\]$\#@,+ -]{0,64}\}
  | %\(\w{1,64}\)[-+ 0\#]{0,3}[0-9]{0,3}(?:\.[0-9]{1,3})?[diouxXeEfFgGcrsa]
  | %(?:[0-9]{1,2}\$)?[-+0\#]{0,3}[0-9]{0,3}(?:\.[0-9]{1,3})?(?:hh|h|ll|l|L|z|t)?[diouxXeEfFgGcspn@](?![a-z]{4})
  | %[A-Za-z_]\w{0,40}% | %% | \$[A-Za-z_]\w{0,63}+
  | (?<![\w:)]):[A-Za-z_]\w{0,63}+:? | __[A-Z0-9]++(?:_[A-Z0-9]++)*+__ | \\u[0-9a-fA-F]{4}
  | [\ue000-\uf8ff]
"""
_CODE = rf"""
    ```(?:[^`]|`(?!``)){{1,5000}}``` | ``(?:[^`\n]|`(?!`)){{1,1000}}`` | `[^`\n]{{1,1000}}`
  | <(?P<verbatim>code|pre|kbd|samp|script|style)(?:\s[^<>]{{0,200}})?>(?s:.{{0,1000}}?)</(?P=verbatim)>
  | (?<![\w.])[A-Za-z_][\w.]*+\(\)
  | (?<![^\W_])[^\W_]++(?:_++[^\W_]++)++
  | (?<![^\W_])[{_UPPER}]?[{_LOWER}]++[{_UPPER}]\w*+
  | (?<![^\W_])(?:[A-Z]{{1,10}}+|[Cc]ovid)-[0-9]\w*+(?:[.-][0-9]\w*+)*+
  | (?<![^\W_])[0-9a-fA-F]{{8}}-(?:[0-9a-fA-F]{{4}}-){{3}}[0-9a-fA-F]{{12}}(?!\w)
  | {_LETTER}++[0-9]\w*+(?:[.-][0-9]\w*+)*+
  | (?<![^\W_])[A-Z]{{1,4}}+&(?:amp;)?[A-Z]{{1,4}}+(?![\w;])
  | (?<![^\W_])[A-Za-z](?:\#|\+\+)(?!\w)
  | (?<![^\s(])\.[A-Za-z]\w{{1,30}}+(?!\.)
  | {_LETTER}*+(?:&(?:[A-Za-z]{{1,2}}(?:acute|grave|circ|uml|tilde|cedil|ring|slash|caron|lig)|szlig);{_LETTER}*+)++
"""
# Inside of a word it is read as an apostrophe, and no item.
APOSTROPHE = r"(?<=[^\W\d_])&(?:\#0?39|\#[xX]27|apos|rsquo|\#8217|\#[xX]2019);(?=[^\W\d_])"
_MARKUP = r"""
    <!--(?s:.{0,1000}?)--> | <![A-Za-z][^<>]{0,500}> | <\?[^<>]{0,500}\?>
  | </?[A-Za-z][\w:.-]{0,60}(?:[\s/](?:[^<>"']|"[^"]{0,1000}"|'[^']{0,1000}')*+)?> | </?[0-9]{1,3}\s?/?>
  | &(?:[A-Za-z][A-Za-z0-9]{1,30}|\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6});
  | !?\[(?=[^\[\]\n]{1,300}\]\([^()\s]) | \]\((?:[^()\s]|\([^()\s]{0,200}\)){1,1000}+(?:\s"[^"\n]{0,200}")?\)
  | \*{1,3} | _{1,3} | ~~ | (?<![^\n])\#{1,6}(?!\S) | \\[nrt"'] | `+
"""
# Whatever may be an item begins with, or holds, one of these; most sentences hold none and are done.
_TRIGGER = re.compile(
    rf"""[0-9@\#<&*_`~{{\[\]\\%/{_CURRENCY}\ue000-\uf8ff½¼¾⅓⅔⅛⅜⅝⅞\u20e3\ufe0f©®‼⁉™ℹ]|[{_LOWER}][{_UPPER}]|:[A-Za-z_]"""
    rf"""|\.\w|\(\)|\+\+|{_PICTURE}""",
    re.VERBOSE,
)
_SCANNER = re.compile(
    rf"""
    (?P<word>[A-Z]?[a-z]++(?=[\s,;?!]|\Z))
  | (?P<apostrophe>{APOSTROPHE})
  | (?P<name>{_ADDRESS}|{_CODE}|{_TEMPLATE}|{_EMOJI})
  | (?P<number>{_NUMBER})
  | (?P<markup>{_MARKUP})
  | {_LETTER}(?:{_LETTER}|[{_MARKS}\u200c\u200d])*+ | (?P<same>[^\s\w])(?P=same)*+ | \S
    """,
    re.VERBOSE,
)
_KINDS: dict[str, ItemKind] = {"name": "name", "number": "number", "markup": "markup"}
_EMOJIS = re.compile(rf"(?:{_EMOJI})+", re.VERBOSE)
_NO_KEY = re.compile(r"[\s.,:/'’()\-–+−]")
_NUMERIC = re.compile(r"[0-9]")


class Item(NamedTuple):
    """A stretch of a text, half-open, that a translation must keep; foreign if only the subwords cannot spell it."""

    text: str
    kind: ItemKind
    start: int
    end: int


def scan(text: str, alphabet: frozenset[str] | None = None) -> list[Item]:
    """The protected items from left to right, none overlapping. Words with a character outside ``alphabet``, the
    characters that the subwords can spell, are items too; without an alphabet every character is spelled."""
    found: list[Item] = []
    if not _TRIGGER.search(text) and (alphabet is None or alphabet.issuperset(text)):
        return found
    for match in _SCANNER.finditer(text):
        kind = _KINDS.get(match.lastgroup or "")
        if kind is None and alphabet is not None and match.lastgroup != "apostrophe":
            kind = None if alphabet.issuperset(match[0]) else "foreign"
        if kind is not None:
            found.append(Item(match[0], kind, match.start(), match.end()))
    return found


def key(item: Item) -> str:
    """Return what identifies an item in whatever way a language writes it: of a number the digits, its sign and the
    signs or letters of its currency, percentage or unit; of every other item its text."""
    if item.kind != "number":
        return item.text
    text = item.text.replace("−", "-")
    sign = text[0] if text[0] in "-±" else ""
    rest = _NO_KEY.sub("", text)
    return sign + "".join(_NUMERIC.findall(rest)) + "|" + _NUMERIC.sub("", rest).lstrip("±").replace("μ", "µ")


def without_edges(text: str) -> tuple[int, int]:
    """Return the part of a text, as begin and end, without emoji and white space at its edges; empty if that is all."""
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    runs = [match.span() for match in _EMOJIS.finditer(text)] if not text.isascii() else []
    for first, last in runs:
        if text[start:first].strip():
            break
        start = last
    for first, last in reversed(runs):
        if text[last:end].strip():
            break
        end = first
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), max(start, end - len(inner) + len(inner.rstrip()))


_PLAIN_NUMBER = re.compile(
    r"(?P<before>[^0-9]*)(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[1-9][0-9]*|0)(?:\.(?P<fraction>[0-9]+))?(?P<after>[^0-9]*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """Way in which a language writes numbers."""

    group: str  # between groups of three digits
    decimal: str
    before_percent: str


FORMATS = {
    "es": NumberFormat(group=".", decimal=",", before_percent=""),
    "de": NumberFormat(group=".", decimal=",", before_percent="\u00a0"),
    "fr": NumberFormat(group="\u202f", decimal=",", before_percent="\u00a0"),
}


def localize(item: Item, language: str) -> str:
    """The item as the language writes it; as it is if it is no plain number: a date, a time, a telephone number."""
    form = FORMATS.get(language)
    match = _PLAIN_NUMBER.fullmatch(item.text)
    if item.kind != "number" or form is None or match is None:
        return item.text
    fraction = form.decimal + match["fraction"] if match["fraction"] else ""
    after = form.before_percent + match["after"].lstrip() if match["after"].strip() in ("%", "‰") else match["after"]
    text = match["before"] + match["whole"].replace(",", form.group) + fraction + after
    found = scan(text)
    return text if len(found) == 1 and found[0].text == text and key(found[0]) == key(item) else item.text
